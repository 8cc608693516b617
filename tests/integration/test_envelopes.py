"""Encryption metadata is returned unchanged, on every transport and after every kind of change."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from famichat.chat.records.message import Message
from famichat.cli.member.export import records
from famichat.cli.member.remote import Remote
from famichat.client import Session
from famichat.e2ee.envelope import ENCRYPTION_VERSION, KEY_ID, MAX_EPOCH, PROTOCOL
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.typed_text import has_visible_text
from tests.factories.people import Household
from tests.factories.talk import direct_of, say
from tests.support.app import RunningApp

# Text that both databases and strict JSON can store: no U+0000 and no lone surrogate.
ciphertexts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=200)
texts = ciphertexts.filter(has_visible_text)  # invisible messages are refused
names = st.from_regex(r"[a-z0-9_.-]{1,32}", fullmatch=True)
plain = st.fixed_dictionaries(
    {"body": texts}, optional={"message_type": names, "encryption_flag": st.sampled_from([False])}
)


def encrypted(device_id: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "body": ciphertexts,
            "encryption_flag": st.sampled_from([True]),
            "encryption_version": st.from_regex(ENCRYPTION_VERSION, fullmatch=True),
            "key_id": st.from_regex(KEY_ID, fullmatch=True),
        },
        optional={
            "message_type": names,
            "protocol": st.from_regex(PROTOCOL, fullmatch=True),
            "epoch": st.integers(0, MAX_EPOCH),
            "sender_device_id": st.just(device_id),
        },
    )


def as_shown(sent: dict[str, Any]) -> dict[str, Any]:
    missing = {"message_type": "text", "encryption_flag": False}
    fields = ("encryption_version", "key_id", "protocol", "epoch", "sender_device_id")
    return {**dict.fromkeys(fields), **missing, **sent}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_every_field_of_an_envelope_survives_every_way(app: RunningApp, data: st.DataObject) -> None:
    maja, topic = app.home.maja, f"message:direct:{app.talks.direct}"
    sent_message = data.draw(st.lists(plain | encrypted(maja.device_id), min_size=2, max_size=6))
    async with app.connect(app.home.emil) as emil, app.connect(maja) as socket, app.http(maja) as http:
        before = (await emil.join(topic))["last_seq"]
        await socket.join(topic)
        for number, payload in enumerate(sent_message):
            if number % 2:
                answer = await http.post(f"/conversations/{app.talks.direct}/messages", json=payload)
                assert answer.status_code == 201, answer.text
            else:
                assert (await socket.ask(topic, "new_msg", payload)).status == "ok"
        received = [(await emil.assert_broadcast(topic, "new_msg")).payload for _ in sent_message]
        fetched = (await socket.ask(topic, "fetch", {"after_seq": before})).response["messages"]
        page = (await http.get(f"/conversations/{app.talks.direct}/messages?after_seq={before}")).json()["messages"]
    async with app.connect(app.home.emil) as emil:
        resumed = (await emil.join(topic, {"last_seq": before}))["messages"]
    exported = [each for each in await asyncio.to_thread(exported_by_maja, app) if each.pop("record") == "message"]

    for shown, sent in zip(received, sent_message, strict=True):
        assert {field: shown[field] for field in as_shown(sent)} == as_shown(sent)
    assert received == fetched == page == resumed == exported[before:]


def exported_by_maja(app: RunningApp) -> list[dict[str, Any]]:
    remote = Remote(Session(app.url, app.token(app.home.maja)))
    try:
        return [json.loads(json.dumps(record)) for record in records(remote, app.talks.direct)]
    finally:
        remote.close()


@pytest.mark.parametrize("door", ["socket", "HTTP", "test endpoint"])
@pytest.mark.parametrize(
    ("change", "field"),
    [({"sender_device_id": new_id()}, "sender_device_id"), ({"encryption_flag": False, "epoch": 1}, "epoch")],
    ids=["of another device", "of a plain message"],
)
async def test_an_envelope_that_is_not_true_is_refused_at_every_door(
    app: RunningApp, door: str, change: dict[str, Any], field: str
) -> None:
    payload = {"body": "x", "encryption_flag": True, "encryption_version": "v1", "key_id": "k", **change}

    assert await refusal_at(app, door, payload) == {
        "code": "invalid_encryption_metadata",
        "error_code": 602,
        "field": field,
    }


async def refusal_at(app: RunningApp, door: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the error code of a refused message from Maja to Emil; fail if it is accepted."""
    topic = f"message:direct:{app.talks.direct}"
    if door == "socket":
        async with app.connect(app.home.maja) as maja:
            await maja.join(topic)
            answer = await maja.ask(topic, "new_msg", payload)
        assert answer.status == "error"
        return {"code": answer.response["reason"], **answer.response["details"]}
    path, more = f"/conversations/{app.talks.direct}/messages", {}
    if door == "test endpoint":
        path, more = "/test/broadcast", {"conversation_type": "direct", "conversation_id": app.talks.direct}
    async with app.http(app.home.maja) as http:
        problem = (await http.post(path, json={**payload, **more})).json()
    return {name: problem[name] for name in ("code", "error_code", "field") if name in problem}


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"protocol": "mls10"}, "protocol"),
        ({"epoch": 1}, "epoch"),
        ({"sender_device_id": new_id()}, "sender_device"),
        ({"encryption_flag": True, "encryption_version": "1", "key_id": "k", "epoch": -1}, "epoch"),
        ({"encryption_flag": True, "encryption_version": "1", "key_id": "k", "protocol": ""}, "protocol"),
        (
            {"encryption_flag": True, "encryption_version": "1", "key_id": "k", "sender_device_id": new_id()},
            "sender_device",
        ),
    ],
)
def test_the_database_itself_refuses_an_envelope_that_cannot_be(
    database: Database, household: Household, values: dict[str, Any], constraint: str
) -> None:
    direct = database.run(lambda session: direct_of(session, household))
    database.run(lambda session: say(session, direct, household.maja, "x"))

    with pytest.raises(IntegrityError) as raised:
        database.run(lambda session: session.execute(update(Message).values(**values)))

    assert f"ck_messages_{constraint}" in str(raised.value.orig)
