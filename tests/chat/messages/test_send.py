"""From payload to stored row, with the telemetry events (7.6.1, 7.6.2)."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from famichat.chat.encryption_policy import EncryptionPolicies, Policy
from famichat.chat.errors import ChatError, Conflict, EncryptionRequired, InvalidEncryptionMetadata, InvalidMessage
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.change import Edit
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.send import Draft, Sender, SendPath, SentMessage
from famichat.chat.records.conversation import Conversation, ConversationType
from famichat.chat.records.message import Message
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.telemetry.events import Event, MessageDeserialized, MessageSerialized
from tests.factories.people import INDEX, VAULT, Household, Person
from tests.factories.talk import direct_of, group_of, stored

SEALED: dict[str, Any] = {"body": "9d_-x", "encryption_flag": True, "encryption_version": "mls10.1", "key_id": "1:42"}
PROTOCOL: dict[str, Any] = {"protocol": "mls10", "epoch": 7}


async def send(
    database: Database,
    who: Person,
    conversation_id: str,
    payload: dict[str, Any],
    policy: Policy = "optional",
    kind: ConversationType = "direct",
) -> tuple[SentMessage, list[MessageView]]:
    journal, reported = Journal(database), list[MessageView]()
    path = SendPath(journal, VAULT, INDEX, EncryptionPolicies({kind: policy}))
    try:
        sender = Sender(who.user_id, who.device_id)
        sent = await path.send(
            sender, kind, conversation_id, Draft.parse(payload), lambda _, view: reported.append(view)
        )
        return sent, reported
    finally:
        await journal.close()


@pytest.fixture
def direct_id(database: Database, household: Household) -> str:
    return database.run(lambda session: direct_of(session, household))


@pytest.mark.parametrize("payload", [{"body": "hej"}, SEALED, {**SEALED, **PROTOCOL}])
async def test_a_message_is_broadcast_and_stored_with_its_encryption_fields(
    database: Database, household: Household, direct_id: str, payload: dict[str, Any]
) -> None:
    sent, [reported] = await send(database, household.maja, direct_id, payload)
    row = database.run_read(lambda session: session.get_one(Message, sent.message_id))

    sent_message = {field: value for field, value in payload.items() if field != "body"}
    assert {**reported, **payload} == reported
    assert {field: getattr(row, field) for field in sent_message} == sent_message
    assert (row.body == payload["body"].encode()) is payload.get("encryption_flag", False)


@pytest.mark.parametrize(("payload", "status"), [({"body": "hej"}, "disabled"), (SEALED, "enabled")])
async def test_telemetry_hears_of_both_ways_and_nothing_but_status_and_size(
    database: Database, household: Household, direct_id: str, payload: dict[str, Any], status: Any, emitted: list[Event]
) -> None:
    await send(database, household.maja, direct_id, payload)

    size = len(payload["body"])
    assert [event for event in emitted if isinstance(event, MessageDeserialized | MessageSerialized)] == [
        MessageDeserialized(encryption_status=status, body_bytes=size),
        MessageSerialized(encryption_status=status, body_bytes=size),
    ]


async def test_a_device_cannot_say_that_another_one_has_sealed_it(
    database: Database, household: Household, direct_id: str
) -> None:
    mine = {**SEALED, **PROTOCOL, "sender_device_id": household.maja.device_id}
    _, [reported] = await send(database, household.maja, direct_id, mine)

    assert reported["sender_device_id"] == household.maja.device_id
    with pytest.raises(InvalidEncryptionMetadata) as raised:
        await send(database, household.emil, direct_id, mine)
    assert raised.value.details == {"field": "sender_device_id", "error_code": 602}
    assert database.run_read(stored) == 1


@pytest.mark.parametrize("other", [{"epoch": 8}, {"protocol": "mls20"}, {"epoch": None}])
async def test_the_same_client_id_under_another_envelope_is_a_conflict(
    database: Database, household: Household, direct_id: str, other: dict[str, Any]
) -> None:
    first = {**SEALED, **PROTOCOL, "client_id": new_id()}
    sent, _ = await send(database, household.maja, direct_id, first)
    again, reported = await send(database, household.maja, direct_id, first)

    assert (again.message_id, again.repeat, reported) == (sent.message_id, True, [])
    with pytest.raises(Conflict):
        await send(database, household.maja, direct_id, {**first, **other})


async def test_a_message_from_before_encryption_protocols_is_still_recognized_as_a_repeat(
    database: Database, household: Household, direct_id: str
) -> None:
    await send(database, household.maja, direct_id, {**SEALED, "client_id": "the same"})
    kept = database.run_read(lambda session: session.execute(select(Message.fingerprint)).scalar_one())

    assert kept == INDEX.digest("message", SEALED["body"], "text", "", "enabled", "mls10.1", "1:42")


# Policy


@pytest.mark.parametrize(
    ("policy", "payload", "refused"),
    [
        ("required", {"body": "hej"}, EncryptionRequired),
        ("required", SEALED, None),
        ("optional", {"body": "hej"}, None),
        ("optional", SEALED, None),
        ("forbidden", {"body": "hej"}, None),
        ("forbidden", SEALED, InvalidEncryptionMetadata),
    ],
)
async def test_the_policy_decides_before_anything_is_stored(
    database: Database,
    household: Household,
    direct_id: str,
    policy: Policy,
    payload: dict[str, Any],
    refused: type[ChatError] | None,
) -> None:
    if refused is None:
        await send(database, household.maja, direct_id, payload, policy)
    else:
        with pytest.raises(refused) as raised:
            await send(database, household.maja, direct_id, payload, policy)
        assert raised.value.details["error_code"] == 604

    assert database.run_read(stored) == (refused is None)


@pytest.mark.parametrize("policy", ["optional", "forbidden"])
async def test_a_conversation_created_with_required_encryption_accepts_ciphertext_only(
    database: Database, household: Household, direct_id: str, policy: Policy
) -> None:
    database.run(lambda session: session.execute(update(Conversation).values(encryption_required=True)))

    with pytest.raises(EncryptionRequired) as raised:
        await send(database, household.maja, direct_id, {"body": "hej"}, policy)
    await send(database, household.maja, direct_id, SEALED, policy)

    assert raised.value.details == {"error_code": 604}
    assert database.run_read(stored) == 1


async def test_a_type_without_a_policy_takes_ciphertext_only() -> None:
    assert EncryptionPolicies({}).of("direct") == "required"


@pytest.mark.parametrize(
    "body", ["", " \n\u3000", "\u200b", "\u2060\u200d\ufeff", "\u00ad\ufe0f\u202e", "\u3164\u2800"]
)
@pytest.mark.parametrize("parse", [Draft.parse, Edit.parse])
def test_a_text_without_a_visible_character_is_refused(parse: Callable[[dict[str, Any]], object], body: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        parse({"body": body})

    assert refused.value.details == {"field": "body"}


@pytest.mark.parametrize(
    "body", ["\u200b.", "\u2764\ufe0f", "\u0644\u200d", "\U0001f468\u200d\U0001f469", "\U0001fae9"]
)
def test_format_characters_are_kept_in_a_visible_text(body: str) -> None:
    assert Draft.parse({"body": body}).body == body


def test_a_caption_is_visible_or_empty() -> None:
    files = {"attachment_ids": [new_id()]}

    assert Draft.parse({"body": "", **files}).body == ""
    with pytest.raises(InvalidMessage):
        Draft.parse({"body": "\u200b", **files})


async def test_a_reply_to_a_message_of_another_conversation_is_refused(
    database: Database, household: Household, direct_id: str
) -> None:
    group_id = database.run(lambda session: group_of(session, household))
    elsewhere, _ = await send(database, household.maja, group_id, {"body": "hej"}, kind="group")

    refusals = []
    for reply_to in (elsewhere.message_id, new_id()):
        with pytest.raises(InvalidMessage) as refused:
            await send(database, household.maja, direct_id, {"body": "hej", "reply_to": reply_to})
        refusals.append(refused.value.details)

    assert refusals == [{"field": "reply_to"}] * 2
