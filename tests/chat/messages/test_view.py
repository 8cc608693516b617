"""The JSON of messages and conversations: every field, and messages that cannot be decrypted."""

from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for, conversations_of, everyones_access
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.conversations.view import conversation_view, conversation_views
from famichat.chat.conversations.view_settings import archive_conversation, hide_conversation, mute_conversation
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.journal.entry import Attached, Entry, Stored
from famichat.chat.messages.history import messages_before
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import message_view, sent_view
from famichat.chat.records.attachment import Attachment
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.storage.base import now, rfc3339
from famichat.storage.database import Database
from famichat.telemetry.events import DecryptionFailed, Event
from tests.factories.people import VAULT, Household, Person
from tests.factories.talk import acknowledged, attach, direct_of, group_of, say
from tests.support.statements import count_statements

MESSAGE_FIELDS = [
    "message_id",
    "conversation_id",
    "seq",
    "user_id",
    "device_id",
    "message_type",
    "body",
    "client_id",
    "reply_to",
    "inserted_at",
    "edited_at",
    "deleted_at",
    "deleted_by",
    "encryption_flag",
    "encryption_version",
    "key_id",
    "protocol",
    "epoch",
    "sender_device_id",
    "reactions",
    "change",
    "attachments",
]
CONVERSATION_FIELDS = [
    "id",
    "type",
    "family_id",
    "name",
    "created_at",
    "epoch",
    "last_seq",
    "last_change",
    "history",
    "members",
    "encryption_policy",
    "encryption_status",
    "mls",
    "last_message",
    "unread",
    "hidden",
    "hidden_by_users",
    "archived",
    "pinned",
    "marked_unread",
    "muted_until",
    "contact",
]
POLICIES = EncryptionPolicies({"self": "optional", "direct": "optional", "group": "required", "family": "forbidden"})


@pytest.fixture
def direct_id(database: Database, household: Household) -> str:
    return database.run(lambda session: direct_of(session, household))


def newest(database: Database, who: Person, conversation_id: str) -> dict[str, Any]:
    def look(session: Session) -> MessageView:
        access = conversation_for(session, who.user_id, conversation_id)
        return messages_before(session, access, vault=VAULT)["messages"][-1]

    return dict(database.run_read(look))


def outside(database: Database, who: Person, conversation_id: str) -> dict[str, Any]:
    def look(session: Session) -> ConversationView:
        return conversation_view(session, conversation_for(session, who.user_id, conversation_id), POLICIES, VAULT)

    return dict(database.run_read(look))


def entry_of(message: Message, conversation_id: str, sender: Person) -> Entry:
    return Entry(
        id=message.id,
        conversation_id=conversation_id,
        conversation_type="direct",
        user_id=sender.user_id,
        device_id=sender.device_id,
        message_type="text",
        body=message.body or b"",
        client_id=None,
        fingerprint=None,
        reply_to_id=None,
        encryption_flag=False,
        encryption_version=None,
        key_id=None,
    )


def test_a_message_has_the_fields_of_the_contract(database: Database, household: Household, direct_id: str) -> None:
    database.run(lambda session: say(session, direct_id, household.maja, "hej"))
    view = newest(database, household.emil, direct_id)

    assert list(view) == MESSAGE_FIELDS
    assert (view["seq"], view["body"], view["user_id"]) == (1, "hej", household.maja.user_id)
    assert view["inserted_at"].endswith("Z")


def test_a_message_looks_the_same_when_it_is_sent_and_when_it_is_read(
    database: Database, household: Household, direct_id: str
) -> None:
    [message_id] = database.run(lambda session: say(session, direct_id, household.maja, "hej"))
    message = database.run_read(lambda session: session.get_one(Message, message_id))
    entry = entry_of(message, direct_id, household.maja)
    stored = Stored(message_id, 1, message.inserted_at, repeat=False, conversation_type="direct")
    assert sent_view(entry, stored, "hej", VAULT) == message_view(message, VAULT)


def test_a_sent_message_with_a_damaged_attachment_looks_the_same_when_it_is_read(
    database: Database, household: Household, direct_id: str
) -> None:
    def fill(session: Session) -> tuple[str, str]:
        [message_id] = say(session, direct_id, household.maja, "hej")
        return message_id, attach(session, direct_id, household.maja, message_id)

    message_id, attachment_id = database.run(fill)
    flip = update(Attachment).values(sealed=b"\x01\x00\x01" + b"\x00" * 60)
    database.run(lambda session: session.execute(flip.where(Attachment.id == attachment_id)))
    message = database.run_read(lambda session: session.get_one(Message, message_id))
    [damaged] = message.attachments
    attached = Attached(
        id=damaged.id,
        size=5,
        content_type=damaged.content_type,
        encrypted=False,
        width=None,
        height=None,
        thumbnail_bytes=0,
        duration_ms=None,
        sealed=damaged.sealed,
    )
    stored = Stored(
        message_id, 1, message.inserted_at, repeat=False, conversation_type="direct", attachments=(attached,)
    )
    sent = sent_view(entry_of(message, direct_id, household.maja), stored, "hej", VAULT)

    assert sent == message_view(message, VAULT)
    assert (sent["body"], sent["attachments"], sent["error_code"]) == ("hej", [], 603)


def test_a_ciphertext_is_shown_as_it_came(database: Database, household: Household, direct_id: str) -> None:
    encrypted = {"encryption_flag": True, "encryption_version": "mls10.1", "key_id": "1:42", "body": b"9d_-x"}
    database.run(lambda session: say(session, direct_id, household.maja, "", **encrypted))
    view = newest(database, household.emil, direct_id)

    assert {field: view[field] for field in encrypted} == {**encrypted, "body": "9d_-x"}


def test_a_deleted_message_keeps_its_place_without_a_body(
    database: Database, household: Household, direct_id: str
) -> None:
    moment = now()
    database.run(lambda session: say(session, direct_id, household.maja, "oops", deleted_at=moment, body=None))
    view = newest(database, household.emil, direct_id)

    assert (view["seq"], view["body"], view["deleted_at"]) == (1, None, rfc3339(moment))


@pytest.mark.parametrize("damage", ["truncated", "moved", "no text"])
def test_a_body_that_does_not_open_never_fails_the_page(
    database: Database, household: Household, direct_id: str, damage: str, emitted: list[Event]
) -> None:
    ids = database.run(lambda session: say(session, direct_id, household.maja, "one", "two", "three"))
    spoils: dict[str, dict[str, Any]] = {
        "truncated": {"body": b"\x01\x00"},
        "moved": {"body": VAULT.seal("body", b"two", ids[0])},
        "no text": {
            "body": b"\xff",
            "encryption_flag": True,
            "encryption_version": "1",
            "key_id": "1",
            "checksum": None,
        },
    }
    database.run(lambda session: session.execute(update(Message).where(Message.id == ids[1]).values(**spoils[damage])))

    def look(session: Session) -> list[MessageView]:
        access = conversation_for(session, household.emil.user_id, direct_id)
        return messages_before(session, access, vault=VAULT)["messages"]

    page = database.run_read(look)

    assert [view["body"] for view in page] == ["one", None, "three"]
    assert [view.get("error_code") for view in page] == [None, 603, None]
    assert [event for event in emitted if isinstance(event, DecryptionFailed)] == [
        DecryptionFailed(purpose="body", cause="not_authentic" if damage == "moved" else "malformed")
    ]


def test_a_conversation_has_the_fields_of_the_contract(
    database: Database, household: Household, direct_id: str
) -> None:
    view = outside(database, household.emil, direct_id)

    assert list(view) == CONVERSATION_FIELDS
    assert (view["type"], view["family_id"], view["name"]) == ("direct", household.family_id, None)
    assert (view["last_seq"], view["last_message"], view["unread"]) == (0, None, 0)
    assert (view["hidden"], view["archived"], view["muted_until"]) == (False, False, None)


def test_a_conversation_says_who_is_in_it_and_in_which_role(database: Database, household: Household) -> None:
    group_id = database.run(lambda session: group_of(session, household))
    roles = {each["user_id"]: each["role"] for each in outside(database, household.emil, group_id)["members"]}

    assert roles == {
        household.maja.user_id: "admin",
        household.emil.user_id: "member",
        household.inga.user_id: "member",
    }


def test_encryption_is_enabled_where_it_is_required_or_was_once(
    database: Database, household: Household, direct_id: str
) -> None:
    group_id = database.run(lambda session: group_of(session, household))
    before = outside(database, household.emil, direct_id)
    database.run(
        lambda session: setattr(
            conversation_for(session, household.emil.user_id, direct_id).conversation, "encryption_required", True
        )
    )
    views = [before, outside(database, household.emil, direct_id), outside(database, household.emil, group_id)]

    assert [(each["encryption_policy"], each["encryption_status"]) for each in views] == [
        ("optional", "disabled"),
        ("required", "enabled"),
        ("required", "enabled"),
    ]


def test_unread_are_messages_of_others_after_the_furthest_device(
    database: Database, household: Household, direct_id: str
) -> None:
    database.run(lambda session: say(session, direct_id, household.emil, "1", "2", "3"))
    database.run(lambda session: say(session, direct_id, household.maja, "4"))
    database.run(lambda session: say(session, direct_id, household.emil, "5", "6"))
    unread = [outside(database, who, direct_id)["unread"] for who in (household.maja, household.emil)]

    def read(session: Session) -> None:
        acknowledged(session, direct_id, household.maja, 2)
        acknowledged(session, direct_id, household.maja, 6, "delivered")

    database.run(read)

    assert unread == [5, 1]
    assert outside(database, household.maja, direct_id)["unread"] == 3


def test_earlier_messages_are_neither_unread_nor_shown_to_a_new_member(
    database: Database, household: Household, direct_id: str
) -> None:
    database.run(lambda session: say(session, direct_id, household.emil, "1", "2"))
    database.run(
        lambda session: session.execute(
            update(Participant)
            .where(Participant.user_id == household.maja.user_id)
            .values(visible_from_seq=3, checksum=None)
        )
    )
    before = outside(database, household.maja, direct_id)
    database.run(lambda session: say(session, direct_id, household.emil, "3"))
    after = outside(database, household.maja, direct_id)

    assert (before["unread"], before["last_message"]) == (0, None)
    assert (after["unread"], after["last_message"]["body"]) == (1, "3")


def test_each_sees_the_own_flags(database: Database, household: Household, direct_id: str) -> None:
    def set_flags(session: Session) -> None:
        hide_conversation(session, household.maja.user_id, direct_id)
        archive_conversation(session, household.maja.user_id, direct_id)
        mute_conversation(session, household.maja.user_id, direct_id)

    database.run(set_flags)
    maja, emil = outside(database, household.maja, direct_id), outside(database, household.emil, direct_id)

    assert (maja["hidden"], maja["archived"], maja["muted_until"]) == (True, True, "9999-12-31T23:59:59.999999Z")
    assert (emil["hidden"], emil["archived"], emil["muted_until"]) == (False, False, None)


def test_a_hundred_conversations_cost_as_many_queries_as_one(database: Database, household: Household) -> None:
    def fill(session: Session, groups: int) -> None:
        for _ in range(groups):
            say(session, group_of(session, household), household.emil, "hej", "du")

    def look(session: Session) -> list[ConversationView]:
        return conversation_views(session, conversations_of(session, household.maja.user_id), POLICIES, VAULT)

    database.run(lambda session: fill(session, 1))
    one = count_statements(database, look)
    database.run(lambda session: fill(session, 30))

    assert count_statements(database, look) == one <= 6
    views = database.run_read(look)
    assert len(views) == 31
    assert {
        (view["unread"], view["last_message"] and view["last_message"]["body"], len(view["members"])) for view in views
    } == {(2, "du", 3)}


def test_the_views_of_all_members_cost_as_many_queries_as_one(database: Database, household: Household) -> None:
    group_id = database.run(lambda session: group_of(session, household))
    database.run(lambda session: say(session, group_id, household.emil, "hej"))

    def look(session: Session) -> list[ConversationView]:
        return conversation_views(session, everyones_access(session, group_id), POLICIES, VAULT)

    assert count_statements(database, look) <= 6
    assert sorted(view["unread"] for view in database.run_read(look)) == [0, 1, 1]
