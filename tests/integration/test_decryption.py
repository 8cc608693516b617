"""Error handling of 7.6.2: a decryption failure causes one error code and one event, and the page still loads."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from famichat.accounts.user import User
from famichat.actions.rate_limit import LIMITS
from famichat.chat.records.message import BODY_PURPOSE, MAX_BODY_BYTES, Message
from famichat.cli.program import program
from famichat.storage.base import new_id
from famichat.storage.crypto.vault import Vault
from famichat.storage.database import Database
from famichat.telemetry.events import DecryptionFailed, Event, RateLimitThrottled
from tests.factories.people import VAULT, Person
from tests.factories.talk import say
from tests.support.app import RunningApp, running_app

SECRET_WORDS = "what nobody else may read"
ANOTHER = Vault({9: b"\x09" * 32})


def truncated(sealed: bytes, _place: str) -> bytes:
    return sealed[:-1]


def tampered(sealed: bytes, _place: str) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


def swapped(_sealed: bytes, _place: str) -> bytes:
    return VAULT.seal(BODY_PURPOSE, b"of another row", new_id())


def of_another_purpose(_sealed: bytes, place: str) -> bytes:
    return VAULT.seal("email", b"maja@example.org", place)


def of_an_unknown_key(_sealed: bytes, place: str) -> bytes:
    return ANOTHER.seal(BODY_PURPOSE, b"x", place)


def of_an_unknown_version(sealed: bytes, _place: str) -> bytes:
    return b"\x07" + sealed[1:]


def malformed(_sealed: bytes, _place: str) -> bytes:
    return b"not sealed"


DAMAGES: dict[Callable[[bytes, str], bytes], str] = {
    malformed: "malformed",
    truncated: "not_authentic",
    tampered: "not_authentic",
    swapped: "not_authentic",
    of_another_purpose: "not_authentic",
    of_an_unknown_key: "unknown_key",
    of_an_unknown_version: "unknown_version",
}


def with_database(app: RunningApp, work: Callable[[Any], Any]) -> Any:
    database = Database(app.settings.effective_database_url)
    try:
        return database.run(work)
    finally:
        database.close()


def damage(app: RunningApp) -> list[str]:
    """Store one message from Maja to Emil for each kind of damage, and an intact one at the end."""

    def work(session: Any) -> list[str]:
        ids = say(session, app.talks.direct, app.home.maja, *([SECRET_WORDS] * (len(DAMAGES) + 1)))
        for message_id, spoil in zip(ids, DAMAGES, strict=False):
            message = session.get_one(Message, message_id)
            message.body = spoil(message.body, message_id)
        return ids

    ids: list[str] = with_database(app, work)
    return ids


def failures(emitted: list[Event]) -> list[DecryptionFailed]:
    return [event for event in emitted if isinstance(event, DecryptionFailed)]


async def test_whatever_does_not_open_is_reported_once_and_says_nothing_secret(
    app: RunningApp, emitted: list[Event]
) -> None:
    await asyncio.to_thread(damage, app)
    emitted.clear()
    async with app.http(app.home.emil) as http:
        page = (await http.get(f"/conversations/{app.talks.direct}/messages")).json()["messages"]

    assert [(each["body"], each.get("error_code")) for each in page] == [
        *[(None, 603)] * len(DAMAGES),
        (SECRET_WORDS, None),
    ]
    assert sorted(event.cause for event in failures(emitted)) == sorted(DAMAGES.values())
    for event in failures(emitted):
        assert event == DecryptionFailed(purpose="body", cause=event.cause)
        assert (event.error_code, event.error_type) == (603, "decryption_failure")
        assert SECRET_WORDS not in repr(event)


async def test_one_bad_row_fails_no_page_at_any_door(app: RunningApp) -> None:
    ids = await asyncio.to_thread(damage, app)
    topic, expected = f"message:direct:{app.talks.direct}", [*[603] * len(DAMAGES), None]
    await asyncio.to_thread(with_database, app, lambda session: session.execute(update(User).values(email=b"damaged")))
    async with app.connect(app.home.emil) as emil, app.http(app.home.emil) as http:
        joined = await emil.join(topic)
        fetched = (await emil.ask(topic, "fetch", {"after_seq": 0})).response
        listed = (await http.get("/conversations")).json()["conversations"]
        await asyncio.to_thread(with_database, app, lambda session: spoil_last(session, ids[-1]))
        last = (await http.get(f"/conversations/{app.talks.direct}")).json()["last_message"]
        me = (await http.get("/me")).json()
    exported = [json.loads(line) for line in (await in_terminal(app, "export", app.talks.direct)).splitlines()]

    assert [each.get("error_code") for each in joined["messages"]] == expected
    assert [each.get("error_code") for each in fetched["messages"]] == expected
    assert next(each for each in listed if each["id"] == app.talks.direct)["last_message"]["body"] == SECRET_WORDS
    assert (last["body"], last["error_code"], last["seq"]) == (None, 603, len(ids))
    assert (me["email"], me["error_code"], me["username"]) == (None, 603, "emil")
    assert [each["error_code"] for each in exported if each["record"] == "message"] == [603] * len(ids)


def spoil_last(session: Any, message_id: str) -> None:
    session.execute(update(Message).where(Message.id == message_id).values(body=b"damaged as well"))


async def in_terminal(app: RunningApp, *arguments: str) -> str:
    signed_in = {"FAMICHAT_URL": app.url, "FAMICHAT_TOKEN": app.token(app.home.emil)}
    ended = await asyncio.to_thread(CliRunner().invoke, program, arguments, env=signed_in)
    assert ended.exit_code == 0, ended.output
    return str(ended.stdout)


# Reports from clients


async def report(app: RunningApp, who: Person, payload: dict[str, Any], kind: str = "direct") -> dict[str, Any]:
    topic = f"message:{kind}:{getattr(app.talks, kind)}"
    async with app.connect(who) as client:
        await client.join(topic)
        answer = await client.ask(topic, "decrypt_failed", payload)
    response: dict[str, Any] = answer.response
    return response


async def test_a_client_reports_a_decryption_failure_and_other_members_do_not_notice(
    app: RunningApp, emitted: list[Event]
) -> None:
    topic = f"message:direct:{app.talks.direct}"
    sealed = {"body": "9d_-x", "encryption_flag": True, "encryption_version": "mls10.1", "key_id": "1:42"}
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        await emil.join(topic)
        message_id = (await maja.ask(topic, "new_msg", sealed)).response["message_id"]
        answers = [
            (await emil.ask(topic, "decrypt_failed", {"message_id": message_id, **more})).response
            for more in ({}, {"error_code": 603}, {"error_code": 605}, {"error_code": 606}, {"error_code": 607})
        ]
        await maja.refute_broadcast(topic, "decrypt_failed")

    causes = ("reported", "reported", "unknown_key", "unknown_version", "stale_epoch")
    assert answers == [{}] * 5
    assert failures(emitted) == [
        DecryptionFailed(purpose="body", cause=cause, user_id=app.home.emil.user_id) for cause in causes
    ]
    assert not any(secret in repr(failures(emitted)) for secret in ("9d_-x", "mls10.1", "1:42"))


async def test_only_what_one_can_see_can_be_reported(app: RunningApp, emitted: list[Event]) -> None:
    [elsewhere] = await asyncio.to_thread(
        with_database, app, lambda session: say(session, app.talks.family, app.home.maja, "x")
    )
    answers = [
        await report(app, app.home.emil, {"message_id": each}) for each in (elsewhere, new_id(), "no id", "x" * 9999)
    ]

    assert answers == [{"reason": "not_found"}] * 4
    assert failures(emitted) == []


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "message_id"),
        ({"message_id": 1}, "message_id"),
        ({"message_id": None}, "message_id"),
        ({"message_id": "x", "error_code": 601}, "error_code"),
        ({"message_id": "x", "error_code": "603"}, "error_code"),
        ({"message_id": "x", "error_code": None}, "error_code"),
    ],
)
async def test_a_report_that_says_nothing_sensible_is_refused(
    app: RunningApp, payload: dict[str, Any], field: str
) -> None:
    refused = await report(app, app.home.emil, payload)

    assert refused == {"reason": "invalid_message", "details": {"field": field}}


async def test_reports_cannot_flood_the_operators_log(database_url: str, tmp_path: Any, emitted: list[Event]) -> None:
    topic_of, burst = "message:self:{}", int(LIMITS["report"].burst)
    async with running_app(database_url, tmp_path, rate_limits="on") as app, app.connect(app.home.maja) as maja:
        topic = topic_of.format(app.talks.self)
        await maja.join(topic)
        message_id = (await maja.ask(topic, "new_msg", {"body": "x"})).response["message_id"]
        answers = [await maja.ask(topic, "decrypt_failed", {"message_id": message_id}) for _ in range(burst + 5)]

    refused = [each.response for each in answers if each.status == "error"]
    assert burst <= len(failures(emitted)) < burst + 5
    assert refused[0]["reason"] == "rate_limited"
    assert refused[0]["retry_in_ms"] > 0
    assert RateLimitThrottled in map(type, emitted)


def test_no_body_is_too_long_to_be_sealed() -> None:
    sealed = VAULT.seal(BODY_PURPOSE, b"x" * MAX_BODY_BYTES, new_id())

    assert len(sealed) <= MAX_BODY_BYTES + 64
