"""Every denial is reported once, from every entry point, with the user and no other data."""

import re
from typing import NoReturn

import pytest

from famichat.actions.rate_limit import RateLimited
from famichat.chat.errors import InvalidName, LastAdmin, NotAdmin, NotFound
from famichat.endpoint.denials import report_denied
from famichat.endpoint.http.context import Context
from famichat.endpoint.http.middleware import MAX_REQUEST_BYTES
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry.events import AuthorizationDenied, Event
from tests.support.app import RunningApp


def denied(emitted: list[Event]) -> list[AuthorizationDenied]:
    return [event for event in emitted if isinstance(event, AuthorizationDenied)]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_denial_over_http_is_reported_with_the_user_and_the_route(
    shared_app: RunningApp, emitted: list[Event]
) -> None:
    home, group = shared_app.home, f"/conversations/{shared_app.talks.group}"
    async with shared_app.http(home.emil) as emil, shared_app.http(home.ada) as ada, shared_app.http() as no_one:
        await emil.patch(group, json={"name": "Mine"})
        await ada.get(group)
        await no_one.get("/me")
        await no_one.get("/invites/no-such-invitation")
        await no_one.post("/sessions", json={"username": "emil", "password": "wrong"})

    route = "/api/v1/conversations/{conversation_id}"
    assert denied(emitted) == [
        AuthorizationDenied(door=f"PATCH {route}", reason="not_admin", user_id=home.emil.user_id),
        AuthorizationDenied(door=f"GET {route}", reason="not_found", user_id=home.ada.user_id),
        AuthorizationDenied(door="GET /api/v1/me", reason="unauthorized"),
        AuthorizationDenied(door="GET /api/v1/invites/{token}", reason="invalid_invite"),
        AuthorizationDenied(door="POST /api/v1/sessions", reason="invalid_credentials", user_id=home.emil.user_id),
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_other_errors_are_no_denial(shared_app: RunningApp, emitted: list[Event]) -> None:
    async with shared_app.http(shared_app.home.maja) as maja:
        for path in (f"/conversations/{shared_app.talks.group}", "/no-such-address"):
            await maja.patch(path, json={"name": ""})
        await maja.delete(f"/families/{shared_app.home.family_id}/members/{shared_app.home.maja.user_id}")

    assert not denied(emitted)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_denial_on_a_channel_is_reported_too(shared_app: RunningApp, emitted: list[Event]) -> None:
    home = shared_app.home
    async with shared_app.connect(home.emil) as emil:
        await emil.join(f"user:{home.maja.user_id}", status="error")

    assert denied(emitted) == [AuthorizationDenied(door="user_channel", reason="not_found", user_id=home.emil.user_id)]


@pytest.mark.parametrize(
    ("fault", "noted"),
    [
        (NotFound(), True),
        (NotAdmin(), True),
        (LastAdmin(), False),
        (InvalidName(), False),
        (RateLimited(1), False),
        (StorageUnavailable("read"), False),
        (ValueError("a bug"), False),
    ],
)
def test_only_forbidden_access_is_a_denial(fault: Exception, noted: bool, emitted: list[Event]) -> None:  # noqa: FBT001 - a column of the table above
    report_denied("somewhere", fault)

    assert bool(denied(emitted)) is noted


async def test_every_refusal_is_counted_once_by_its_code(app: RunningApp) -> None:
    topic = f"message:self:{app.talks.self}"
    async with app.connect(app.home.maja) as maja, app.site(app.home.maja) as site:
        await maja.join(topic)
        await maja.ask(topic, "new_msg", {"body": [1]})
        await maja.ask(topic, "no_such_event", {})
        await maja.join(f"message:self:{app.talks.group}", status="error")
        await maja.join(f"user:{app.home.emil.user_id}", status="error")
        await maja.join("no_such_topic", status="error")
        await site.get("/socket/longpoll", params={"vsn": "2.0.0", "token": "forged"})
        await site.get("/nowhere/at/all")
        await site.get("/api/v1/me", headers={"authorization": "Bearer forged"})
        await site.post("/api/v1/conversations/direct", json={"surprise": 1})
        await site.post("/api/v1/conversations/direct", content="{", headers={"content-type": "application/json"})
        await site.put("/api/v1/me")
        await site.post("/api/v1/sessions", content=b"x" * (MAX_REQUEST_BYTES + 1))
        metrics = (await site.get("/metrics")).text

    counted = dict(re.findall(r'^famichat_refusals_total\{reason="(\w+)"\} (\S+)$', metrics, re.MULTILINE))
    assert counted == {
        "invalid_message": "1.0",
        "unmatched_event": "1.0",
        "not_found": "3.0",
        "invalid_topic_format": "1.0",
        "invalid_token": "2.0",
        "invalid_request": "1.0",
        "invalid_json": "1.0",
        "method_not_allowed": "1.0",
        "request_too_large": "1.0",
    }


async def test_an_unexpected_error_is_logged_once(
    app: RunningApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(Context, "identify", broken)
    async with app.http(app.home.maja) as http:
        answer = await http.get("/me")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert len([record for record in caplog.records if record.exc_info]) == 1
