"""Edits, deletions and reactions: their rules and permissions."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import audit_log_of
from famichat.accounts.device import add_device, revoke_device
from famichat.chat.access import conversation_for
from famichat.chat.conversations.summary import unread_counts
from famichat.chat.conversations.view_settings import hide_conversation
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import (
    ChatError,
    EncryptionRequired,
    InvalidEncryptionMetadata,
    InvalidMessage,
    MessageDeleted,
    NotFound,
    NotSender,
    TooLate,
)
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.messages.change import Change, ChangeServices, Edit
from famichat.chat.messages.change_writer import ChangeResult, make_change
from famichat.chat.messages.versions import former_versions
from famichat.chat.messages.view import message_views
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.message import Message, body_aad
from famichat.chat.records.message_edit import MessageEdit
from famichat.chat.records.participant import Participant
from famichat.chat.records.reaction import Reaction
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from tests.factories.people import VAULT, Household, Person
from tests.factories.talk import DELETE, asked, direct_of, do, edit, group_of, react, say
from tests.support.statements import count_statements

ENVELOPE = {"encryption_flag": True, "encryption_version": "v1", "key_id": "k"}


class Talk:
    """A group of Maja (admin), Emil and Inga, with three messages from Emil."""

    def __init__(self, database: Database, household: Household) -> None:
        self.database = database
        self.home = household
        self.id = database.run(lambda session: group_of(session, household))
        self.sent = database.run(lambda session: say(session, self.id, household.emil, "one", "two", "three"))

    def do(self, who: Person, change: Change, which: int = 0) -> ChangeResult:
        return self.database.run(lambda session: do(session, who, self.id, self.sent[which], change))

    def refused(self, who: Person, change: Change, which: int = 0) -> type[ChatError]:
        """Return the error type; nothing was written."""
        before = self.last_change
        with pytest.raises(ChatError) as refusal:
            self.do(who, change, which)
        assert self.last_change == before
        return type(refusal.value)

    def set(self, **columns: Any) -> None:
        self.database.run(
            lambda session: session.execute(
                update(Message).where(Message.id == self.sent[0]).values(**columns, checksum=None)
            )
        )

    def versions(self) -> list[Any]:
        def look(session: Session) -> list[Any]:
            access = conversation_for(session, self.home.inga.user_id, self.id)
            return [each["body"] for each in former_versions(session, access, self.sent[0], vault=VAULT)["edits"]]

        return self.database.run_read(look)

    @property
    def last_change(self) -> int:
        return self.database.run_read(lambda session: session.get_one(Conversation, self.id).last_change)

    def count(self, record: type[MessageEdit | Reaction]) -> int:
        return self.database.run_read(lambda s: s.execute(select(func.count()).select_from(record)).scalar_one())


@pytest.fixture
def talk(database: Database, household: Household) -> Talk:
    return Talk(database, household)


def test_an_edit_replaces_the_body_and_keeps_the_earlier_version(talk: Talk) -> None:
    first = talk.do(talk.home.emil, edit("uno"))
    second = talk.do(talk.home.emil, edit("eins"))

    assert (first.view["body"], second.view["body"]) == ("uno", "eins")
    assert (second.view["edited_at"] or "") > (first.view["edited_at"] or "") > second.view["inserted_at"]
    assert (first.view["change"], second.view["change"], talk.last_change) == (1, 2, 2)
    assert talk.versions() == ["one", "uno"]


def test_an_edit_that_changes_nothing_is_none(talk: Talk) -> None:
    changed = talk.do(talk.home.emil, edit("one"))

    assert not changed.changed
    assert (changed.view["edited_at"], changed.view["change"], talk.last_change) == (None, 0, 0)
    assert talk.versions() == []


def test_only_the_sender_edits_a_message(talk: Talk) -> None:
    for who in (talk.home.maja, talk.home.inga):
        assert talk.refused(who, edit("I am a fool")) is NotSender


def test_a_message_can_be_edited_for_a_day(talk: Talk) -> None:
    talk.set(inserted_at=now() - timedelta(hours=23, minutes=59))
    talk.do(talk.home.emil, edit("just in time"))
    talk.set(inserted_at=now() - timedelta(hours=24, seconds=1))

    assert talk.refused(talk.home.emil, edit("too late")) is TooLate
    assert not talk.do(talk.home.emil, edit("just in time")).changed, "the repeat of an edit whose answer was lost"
    assert talk.do(talk.home.emil, DELETE).changed, "it can be deleted for ever"


def test_a_message_from_a_clock_that_was_ahead_cannot_be_edited_for_years(talk: Talk) -> None:
    talk.set(inserted_at=now() + timedelta(days=3650))

    assert talk.refused(talk.home.emil, edit("too late")) is TooLate


def test_a_deleted_message_keeps_its_place_and_nothing_else(talk: Talk) -> None:
    talk.set(client_id="c1", fingerprint=b"\x01" * 32)
    talk.do(talk.home.emil, edit("uno"))
    talk.do(talk.home.maja, react("❤"))
    view = talk.do(talk.home.emil, DELETE).view

    assert (view["seq"], view["client_id"], view["body"], view["edited_at"]) == (1, "c1", None, None)
    assert (view["deleted_by"], view["reactions"], view["change"]) == (talk.home.emil.user_id, [], 3)
    assert view["deleted_at"] is not None
    assert (talk.count(MessageEdit), talk.count(Reaction), talk.versions()) == (0, 0, [])
    row = talk.database.run_read(lambda session: session.get_one(Message, talk.sent[0]))
    assert (row.body, row.fingerprint) == (None, b"\x01" * 32)


def test_deleting_again_is_silent(talk: Talk) -> None:
    first = talk.do(talk.home.emil, DELETE)
    for who in (talk.home.emil, talk.home.maja):
        again = talk.do(who, DELETE)
        assert (again.changed, again.view) == (False, first.view)


def test_an_admin_of_the_group_deletes_any_message_and_is_named(talk: Talk) -> None:
    assert talk.refused(talk.home.inga, DELETE) is NotSender

    assert talk.do(talk.home.maja, DELETE).view["deleted_by"] == talk.home.maja.user_id
    assert not talk.do(talk.home.maja, DELETE).changed
    [entry] = talk.database.run_read(lambda session: audit_log_of(session, talk.home.emil.user_id)).entries
    assert (entry.action, entry.by_name, entry.name) == ("message_deleted", "maja", "Fika")
    assert (entry.conversation_id, entry.message_id) == (talk.id, talk.sent[0])


def test_own_removals_are_not_in_the_account_history(talk: Talk) -> None:
    talk.do(talk.home.emil, DELETE)

    assert talk.database.run_read(lambda session: audit_log_of(session, talk.home.emil.user_id)).entries == []


def test_outside_groups_only_the_sender_deletes_a_message(database: Database, household: Household) -> None:
    def work(session: Session) -> None:
        direct_id = direct_of(session, household)
        [message_id] = say(session, direct_id, household.emil, "mine")
        do(session, household.maja, direct_id, message_id, DELETE)

    with pytest.raises(NotSender):
        database.run(work)


def test_a_deleted_message_cannot_be_changed(talk: Talk) -> None:
    talk.do(talk.home.emil, DELETE)

    for change in (edit("zombie"), react("❤"), react(None)):
        assert talk.refused(talk.home.emil, change) is MessageDeleted


def test_each_person_has_one_reaction(talk: Talk) -> None:
    maja, inga = talk.home.maja, talk.home.inga
    talk.do(maja, react("❤"))
    talk.do(inga, react("😂"))
    both = talk.do(maja, react("👍")).view["reactions"]
    one = talk.do(inga, react(None)).view["reactions"]

    assert sorted((each["user_id"], each["emoji"]) for each in both) == sorted(
        [(maja.user_id, "👍"), (inga.user_id, "😂")]
    )
    assert [(each["user_id"], each["emoji"]) for each in one] == [(maja.user_id, "👍")]
    assert talk.last_change == 4


def test_a_reaction_that_is_there_already_is_no_change(talk: Talk) -> None:
    talk.do(talk.home.maja, react("❤"))

    assert not talk.do(talk.home.maja, react("❤")).changed
    assert not talk.do(talk.home.maja, react("\u2764\ufe0f")).changed  # the same emoji from another keyboard
    assert not talk.do(talk.home.inga, react(None)).changed
    assert talk.do(talk.home.maja, react("❤", **ENVELOPE)).changed
    assert talk.last_change == 2


@pytest.mark.parametrize("change", [edit("plain"), react("❤")])
def test_required_encryption_stays_required(talk: Talk, change: Change) -> None:
    required = ChangeServices(VAULT, EncryptionPolicies({"group": "required"}))
    forbidden = ChangeServices(VAULT, EncryptionPolicies({"group": "forbidden"}))
    opaque = edit("q83v", **ENVELOPE)
    request = asked(talk.home.emil, talk.id, talk.sent[0], change)
    secret = asked(talk.home.emil, talk.id, talk.sent[0], opaque)

    with pytest.raises(EncryptionRequired):
        talk.database.run(lambda session: make_change(session, request, required))
    with pytest.raises(InvalidEncryptionMetadata):
        talk.database.run(lambda session: make_change(session, secret, forbidden))
    talk.database.run(lambda s: setattr(s.get_one(Conversation, talk.id), "encryption_required", True))
    assert talk.refused(talk.home.emil, change) is EncryptionRequired
    assert talk.do(talk.home.emil, opaque).view["encryption_flag"]
    assert talk.do(talk.home.emil, DELETE).changed, "taking away needs no key"


def test_an_encrypted_message_cannot_be_edited_to_plaintext(talk: Talk) -> None:
    talk.do(talk.home.emil, edit("q83v", **ENVELOPE))

    assert talk.refused(talk.home.emil, edit("plain")) is EncryptionRequired


def test_an_envelope_of_another_device_is_refused_and_an_edit_names_its_device(talk: Talk) -> None:
    tablet = talk.database.run(lambda session: add_device(session, talk.home.emil.user_id, "Emil's tablet")).id
    emil = replace(talk.home.emil, device_id=tablet)
    sealed = {**ENVELOPE, "protocol": "mls10", "epoch": 7, "sender_device_id": tablet}
    for change in (edit("q83v", **sealed), react("q83v", **sealed)):
        assert talk.refused(talk.home.emil, change) is InvalidEncryptionMetadata
    view = talk.do(emil, edit("q83v", **sealed)).view

    assert {**view, **sealed} == view
    assert view["device_id"] == tablet
    [reaction] = talk.do(emil, react("q83v", **sealed)).view["reactions"]
    assert {**reaction, **sealed} == reaction
    talk.do(talk.home.emil, edit("other", **ENVELOPE))
    assert talk.versions() == ["one", "q83v"]


def test_an_earlier_body_does_not_open_in_the_place_of_the_present_one(talk: Talk) -> None:
    before = talk.database.run_read(lambda session: session.get_one(Message, talk.sent[0]).body)
    talk.do(talk.home.emil, edit("uno"))
    talk.set(body=before)
    [view] = talk.database.run_read(
        lambda session: message_views(session, [session.get_one(Message, talk.sent[0])], VAULT)
    )

    assert (view["body"], view["error_code"]) == (None, 603)
    assert body_aad("m", 0) == "m" != body_aad("m", 1) != body_aad("m", 2)
    assert talk.do(talk.home.emil, edit("whatever it was")).view["body"] == "whatever it was"


def test_a_removed_member_changes_nothing(talk: Talk) -> None:
    emil, group = talk.home.emil, talk.id
    talk.database.run(lambda session: remove_from_group(session, talk.home.maja.user_id, group, emil.user_id))
    talk.database.run(lambda session: revoke_device(session, talk.home.inga.user_id, talk.home.inga.device_id))

    for change in (edit("still here"), DELETE, react("❤"), react(None)):
        for who in (emil, talk.home.inga, talk.home.nils, talk.home.ada):
            assert talk.refused(who, change) is NotFound


def test_a_message_from_before_joining_is_not_found(talk: Talk) -> None:
    inga = Participant.user_id == talk.home.inga.user_id
    talk.database.run(
        lambda session: session.execute(update(Participant).where(inga).values(visible_from_seq=2, checksum=None))
    )

    assert talk.refused(talk.home.inga, react("❤"), which=0) is NotFound
    assert talk.do(talk.home.inga, react("❤"), which=1).changed


def test_a_message_of_another_conversation_is_not_found(talk: Talk) -> None:
    other = talk.database.run(lambda session: direct_of(session, talk.home))
    for message_id in (talk.sent[0], new_id(), "malformed"):
        request = asked(talk.home.emil, other, message_id, DELETE)
        with pytest.raises(NotFound):
            talk.database.run(lambda session, request=request: make_change(session, request, talk_ground()))  # type: ignore[misc]  # mypy cannot infer a lambda's default


def talk_ground() -> ChangeServices:
    return ChangeServices(VAULT, EncryptionPolicies({"direct": "optional"}))


def test_a_change_is_nothing_to_read_and_shows_no_hidden_conversation(talk: Talk) -> None:
    inga = talk.home.inga.user_id

    def outside(session: Session) -> Any:
        access = conversation_for(session, inga, talk.id)
        unread = unread_counts(session, [(access.conversation.id, access.user_id)])
        return unread, access.participant.hidden_at, access.conversation.updated_at, access.conversation.last_seq

    talk.database.run(lambda session: hide_conversation(session, inga, talk.id))
    before = talk.database.run_read(outside)
    for change in (edit("uno"), react("❤"), DELETE):
        talk.do(talk.home.emil, change)

    assert talk.database.run_read(outside) == before


def test_the_database_refuses_a_deleted_message_with_a_body(talk: Talk) -> None:
    with pytest.raises(IntegrityError, match="deletion"):
        talk.set(deleted_at=now())
    with pytest.raises(IntegrityError, match="deletion"):
        talk.set(deleted_by_id=talk.home.maja.user_id)


def test_a_page_with_many_reactions_costs_one_query_more(talk: Talk) -> None:
    def look(session: Session) -> list[Any]:
        messages = session.execute(select(Message).where(Message.conversation_id == talk.id)).scalars().all()
        return message_views(session, messages, VAULT)

    plain = count_statements(talk.database, look)
    for which in range(3):
        for who in (talk.home.maja, talk.home.emil, talk.home.inga):
            talk.do(who, react("❤"), which)

    assert count_statements(talk.database, look) == plain + 1
    assert [len(view["reactions"]) for view in talk.database.run_read(look)] == [3, 3, 3]


def test_an_edit_cannot_empty_a_message() -> None:
    for payload in ({"body": ""}, {"body": "", "attachment_ids": [new_id()]}, {"attachment_ids": [new_id()]}):
        with pytest.raises(InvalidMessage) as refusal:
            Edit.parse(payload)
        assert refusal.value.details == {"field": "body"}
