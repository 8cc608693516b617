import asyncio
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from famichat.accounts.sign_in.login_throttle import FROM_ONE_ADDRESS
from famichat.accounts.sign_in.session import REUSE_WINDOW
from famichat.storage.database import Database
from famichat.telemetry.events import AuthorizationDenied, DeviceRevoked, Event, RateLimitThrottled, SessionStarted
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp, running_app
from tests.support.channel_client import ChannelClient
from tests.support.clock import Clock

MAJA = {"username": "maja", "password": PASSWORD, "device_name": "Maja's tablet"}
SESSION = {"access_token", "expires_in", "refresh_token", "user", "device_id"}


async def sign_in(http: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await http.post("/sessions", json={**MAJA, **changes})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


def tablet_of(app: RunningApp, session: dict[str, Any]) -> AbstractAsyncContextManager[ChannelClient]:
    return ChannelClient.connect(f"{app.url}/socket", token=session["access_token"])


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {session['access_token']}"}


@pytest.mark.parametrize("name", [{"username": "MAJA"}, {"username": None, "email": "Maja@example.org"}])
async def test_a_person_signs_in_by_name_or_address(app: RunningApp, name: dict[str, Any]) -> None:
    async with app.http() as http:
        session = await sign_in(http, **name)
        me = await http.get("/me", headers=bearer(session))

    assert set(session) == SESSION
    assert session["expires_in"] == 900
    assert session["user"] == {
        "id": app.home.maja.user_id,
        "username": "maja",
        "display_name": None,
        "color": None,
        "picture": None,
    }
    assert (me.status_code, me.json()["device_id"]) == (200, session["device_id"])


async def test_an_unknown_name_and_a_wrong_password_get_the_same_bytes(app: RunningApp, emitted: list[Event]) -> None:
    wrong = [
        {**MAJA, "password": "not her password"},
        {**MAJA, "username": "nobody"},
        {"email": "maja@example.org", "password": "not her password"},
        {"email": "nobody@example.org", "password": PASSWORD},
        {**MAJA, "username": "ma/ja"},
        {**MAJA, "password": ""},
    ]
    async with app.http() as http:
        answers = [await http.post("/sessions", json=each) for each in wrong]

    assert {each.status_code for each in answers} == {401}
    assert len({each.content for each in answers}) == 1
    assert answers[0].json()["code"] == "invalid_credentials"
    assert answers[0].headers["content-type"] == "application/problem+json"
    denied = [each for each in emitted if isinstance(each, AuthorizationDenied)]
    assert {(each.door, each.reason) for each in denied} == {("POST /api/v1/sessions", "invalid_credentials")}
    assert not [each for each in emitted if isinstance(each, SessionStarted)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "maja"},
        {"password": PASSWORD},
        {"username": "maja", "email": "maja@example.org", "password": PASSWORD},
        {**MAJA, "password": "a" * 1025},
        {**MAJA, "username": "a" * 255},
        {**MAJA, "username": 1},
        {**MAJA, "role": "admin"},
        {**MAJA, "user_id": "x"},
        [],
        None,
    ],
)
async def test_a_malformed_request_is_refused_without_repeating_it(app: RunningApp, body: Any) -> None:
    async with app.http() as http:
        answer = await http.post("/sessions", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert PASSWORD not in answer.text
    assert "aaaa" not in answer.text


async def test_a_device_name_that_cannot_be_read_is_refused(app: RunningApp) -> None:
    async with app.http() as http:
        answer = await http.post("/sessions", json={**MAJA, "device_name": "\u202etelbat"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_device_name")


async def refresh(http: httpx.AsyncClient, session: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post("/sessions/refresh", json={"refresh_token": session["refresh_token"]})
    assert answer.status_code == 200, answer.text
    renewed: dict[str, Any] = answer.json()
    return renewed


async def test_a_refresh_whose_response_was_lost_is_retried_with_the_same_token(app: RunningApp) -> None:
    async with app.http() as http:
        first = await sign_in(http)
        await refresh(http, first)  # the client does not receive this response
        retried = await refresh(http, first)
        after = await refresh(http, retried)

        assert {each["device_id"] for each in (first, retried, after)} == {first["device_id"]}
        assert (await http.get("/me", headers=bearer(after))).status_code == 200


async def test_a_session_is_refreshed_and_the_reuse_of_an_old_token_ends_it(app: RunningApp, clock: Clock) -> None:
    async with app.http() as http:
        first = await sign_in(http)
        second = await refresh(http, first)
        assert set(second) == SESSION
        assert (second["user"], second["device_id"]) == (first["user"], first["device_id"])
        assert (await http.get("/me", headers=bearer(second))).status_code == 200
        third = await refresh(http, second)
        clock.jump(REUSE_WINDOW)

        stolen = await http.post("/sessions/refresh", json={"refresh_token": first["refresh_token"]})
        unknown = await http.post("/sessions/refresh", json={"refresh_token": "nonsense"})
        after = await http.post("/sessions/refresh", json={"refresh_token": third["refresh_token"]})

        assert {each.status_code for each in (stolen, unknown, after)} == {401}
        assert stolen.content == unknown.content == after.content
        assert (await http.get("/me", headers=bearer(second))).json()["code"] == "invalid_token"


async def test_a_device_says_what_kind_it_is_when_it_signs_in_or_later(app: RunningApp) -> None:
    async def kinds(session: dict[str, Any]) -> dict[str, str | None]:
        listed = (await http.get("/devices", headers=bearer(session))).json()["devices"]
        return {each["id"]: each["kind"] for each in listed}

    async with app.http() as http:
        tablet, unknown = await sign_in(http, device_kind="tablet"), await sign_in(http)
        before = await kinds(tablet)
        renewal = {"refresh_token": unknown["refresh_token"], "device_kind": "phone"}
        renewed = (await http.post("/sessions/refresh", json=renewal)).json()
        await http.post("/sessions/refresh", json={"refresh_token": renewed["refresh_token"]})
        after = await kinds(tablet)
        refused = await http.post("/sessions", json={**MAJA, "device_kind": "fridge"})

    assert (before[tablet["device_id"]], before[unknown["device_id"]]) == ("tablet", None)
    assert (after[tablet["device_id"]], after[unknown["device_id"]]) == ("tablet", "phone")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_a_stolen_refresh_token_closes_what_the_device_has_open(app: RunningApp, clock: Clock) -> None:
    async with app.http() as http:
        session = await sign_in(http)
        person = app.home.maja
        async with app.connect(person) as phone, tablet_of(app, session) as tablet:
            await phone.join(f"user:{person.user_id}")
            await refresh(http, await refresh(http, session))
            clock.jump(REUSE_WINDOW)
            await http.post("/sessions/refresh", json={"refresh_token": session["refresh_token"]})

            await phone.assert_broadcast(
                f"user:{person.user_id}", "device_revoked", {"device_id": session["device_id"]}
            )
            await asyncio.wait_for(tablet.websocket.wait_closed(), 5)
            await phone.heartbeat()


async def test_signing_out_ends_the_session_and_closes_its_socket(app: RunningApp, emitted: list[Event]) -> None:
    async with app.http() as http:
        session = await sign_in(http)
        async with tablet_of(app, session) as tablet:
            answer = await http.delete("/sessions/current", headers=bearer(session))

            assert (answer.status_code, answer.content) == (204, b"")
            await asyncio.wait_for(tablet.websocket.wait_closed(), 5)
        assert (await http.get("/me", headers=bearer(session))).status_code == 401
        again = await http.delete("/sessions/current", headers=bearer(session))
        assert (again.status_code, again.headers["www-authenticate"]) == (401, "Bearer")
    device = {"user_id": app.home.maja.user_id, "device_id": session["device_id"]}
    about_devices = [each for each in emitted if isinstance(each, SessionStarted | DeviceRevoked)]
    assert about_devices == [SessionStarted(**device), DeviceRevoked(**device, cause="signed_out")]


@pytest.mark.parametrize("name", ["maja", "nobody"])
async def test_after_ten_wrong_passwords_even_the_right_one_must_wait(
    database_url: str, tmp_path: Path, name: str, emitted: list[Event]
) -> None:
    async with running_app(database_url, tmp_path, rate_limits="on") as app, app.http() as http:
        for _ in range(FROM_ONE_ADDRESS.attempts):
            assert (
                await http.post("/sessions", json={**MAJA, "username": name, "password": "wrong"})
            ).status_code == 401

        answer = await http.post("/sessions", json={**MAJA, "username": name})
        async with app.http(app.home.maja) as signed_in:
            before = await signed_in.get("/me")

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert 0 < answer.json()["retry_in_ms"] <= 900_000
    assert [each.limit for each in emitted if isinstance(each, RateLimitThrottled)] == ["guesses"]
    assert int(answer.headers["retry-after"]) <= 900
    assert before.status_code == 200, "who was signed in before stays so"


async def test_no_password_and_no_token_is_in_the_database_or_in_an_event(
    app: RunningApp, database: Database, emitted: list[Event]
) -> None:
    async with app.http() as http:
        session = await sign_in(http)
        await http.post("/sessions", json={**MAJA, "password": "a wrong password"})

    sent = repr(emitted)
    for secret in (PASSWORD, "a wrong password", session["access_token"], session["refresh_token"]):
        assert secret not in sent


async def test_an_unknown_name_takes_about_as_long_as_a_wrong_password(app: RunningApp) -> None:
    """Compares two invited users with an unknown name, because the household's hashes are cheap."""
    async with app.http(app.home.maja) as http:
        invited = (await http.post(f"/families/{app.home.family_id}/invites")).json()
        accepted = await http.post(
            f"/invites/{invited['token']}/accept", json={"username": "olle", "password": "a real password"}
        )
        assert accepted.status_code == 201

        times: dict[str, list[float]] = {"olle": [], "nobody": []}
        for _ in range(9):
            for name, taken in times.items():
                began = time.perf_counter()
                await http.post("/sessions", json={"username": name, "password": "not the password"})
                taken.append(time.perf_counter() - began)

    olle, no_one = (min(taken) for taken in times.values())  # whatever else the machine does only adds to it
    assert 0.5 < olle / no_one < 2
