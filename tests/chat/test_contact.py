"""Contact between two users, on both databases: who may send, and what ends or restores contact."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.contact import Contact, contacts, hidden_people
from famichat.chat.conversations.create import create_direct_conversation
from famichat.chat.conversations.leave import leave_direct
from famichat.chat.errors import ContactEnded
from famichat.chat.families.blocks import block, unblock
from famichat.chat.families.guardians import end_contact
from famichat.chat.families.membership import add_member, change_role, remove_member
from famichat.chat.journal.entry import JournalRefusal
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.change import Change
from famichat.chat.records.message import Message
from famichat.storage.database import Database
from tests.factories.people import INDEX, Household, Person
from tests.factories.talk import DELETE, do, edit, entry_of, group_of, react, say, stored

Ending = Callable[[Session, Household], object]


def child_without_emil(session: Session, household: Household) -> None:
    maja, emil, nils = household.maja.user_id, household.emil.user_id, household.nils.user_id
    change_role(session, maja, household.family_id, nils, "child")
    end_contact(session, maja, household.family_id, nils, emil)


ENDINGS: dict[str, tuple[Ending, Contact]] = {
    "Nils blocks Emil": (lambda s, home: block(s, home.nils.user_id, home.emil.user_id), "blocked"),
    "Emil blocks Nils": (lambda s, home: block(s, home.emil.user_id, home.nils.user_id), "ended"),
    "a guardian ends it": (child_without_emil, "ended"),
    "Emil is removed from the family": (
        lambda s, home: remove_member(s, home.maja.user_id, home.family_id, home.emil.user_id),
        "ended",
    ),
}


@pytest.fixture
async def journal(database: Database) -> AsyncIterator[Journal]:
    opened = Journal(database)
    yield opened
    await opened.close()


@pytest.fixture
def direct(database: Database, household: Household) -> str:
    """The direct conversation of Emil and Nils, with one message of each."""

    def make(session: Session) -> str:
        emil, nils = household.emil, household.nils
        pair = emil.user_id, nils.user_id
        conversation_id = create_direct_conversation(session, *pair, blind_index=INDEX).conversation.id
        say(session, conversation_id, emil, "hi")
        say(session, conversation_id, nils, "hello")
        return conversation_id

    return database.run(make)


def state(session: Session, who: Person, conversation_id: str) -> Contact:
    access = conversation_for(session, who.user_id, conversation_id)
    return contacts(session, [access])[conversation_id, who.user_id]


@pytest.mark.parametrize("name", ENDINGS)
async def test_after_contact_ended_neither_can_send_and_both_can_read(
    database: Database, household: Household, direct: str, journal: Journal, name: str
) -> None:
    end, expected = ENDINGS[name]
    await journal.append(entry_of(direct, household.emil), lambda _: None)

    database.run(lambda session: end(session, household))

    for who in (household.emil, household.nils):
        with pytest.raises(JournalRefusal, match="contact_ended"):
            await journal.append(entry_of(direct, who), lambda _: None)
    readable = select(func.count()).select_from(Message).where(Message.conversation_id == direct)
    assert database.run_read(lambda session: session.execute(readable).scalar_one()) == 3
    assert database.run_read(lambda session: state(session, household.nils, direct)) == expected


@pytest.mark.parametrize("name", ENDINGS)
def test_after_contact_ended_messages_can_be_deleted_but_not_edited_or_reacted_to(
    database: Database, household: Household, direct: str, name: str
) -> None:
    ids = database.run_read(lambda s: list(s.execute(select(Message.id).order_by(Message.seq)).scalars()))
    database.run(lambda session: do(session, household.emil, direct, ids[1], react("❤")))

    database.run(lambda session: ENDINGS[name][0](session, household))

    def change(message_id: str, what: Change) -> object:
        return database.run(lambda session: do(session, household.emil, direct, message_id, what))

    for message_id, what in ((ids[0], edit("new words")), (ids[1], react("👍"))):
        with pytest.raises(ContactEnded):
            change(message_id, what)
    change(ids[1], react(None))
    change(ids[0], DELETE)


def test_unblocking_and_joining_again_restore_contact(database: Database, household: Household, direct: str) -> None:
    emil, nils = household.emil.user_id, household.nils.user_id
    database.run(lambda session: block(session, emil, nils))
    database.run(lambda session: unblock(session, emil, nils))
    assert database.run_read(lambda session: state(session, household.nils, direct)) == "open"

    database.run(lambda session: remove_member(session, household.maja.user_id, household.family_id, emil))
    database.run(lambda session: add_member(session, household.family_id, emil, "member"))
    assert database.run_read(lambda session: state(session, household.nils, direct)) == "open"


def test_any_family_that_two_users_share_keeps_contact_open(
    database: Database, household: Household, direct: str
) -> None:
    for who in (household.emil, household.nils):
        database.run(partial(add_member, family_id=household.other_family_id, user_id=who.user_id, role="member"))

    database.run(lambda s: remove_member(s, household.maja.user_id, household.family_id, household.emil.user_id))

    assert database.run_read(lambda session: state(session, household.nils, direct)) == "open"


def test_in_a_group_a_block_hides_presence_only(database: Database, household: Household) -> None:
    maja, emil, inga = household.maja.user_id, household.emil.user_id, household.inga.user_id
    group = database.run(lambda session: group_of(session, household))
    database.run(lambda session: block(session, emil, inga))

    def hidden(session: Session, user_id: str) -> set[str]:
        return set(hidden_people(session, conversation_for(session, user_id, group), None))

    found = database.run_read(lambda session: {who: hidden(session, who) for who in (maja, emil, inga)})
    assert found == {maja: set(), emil: {inga}, inga: {emil}}


async def test_no_message_is_stored_after_contact_ended(
    database: Database, household: Household, direct: str, journal: Journal
) -> None:
    """Blocks, removals and messages at the same time: whatever the order, the last ending wins."""
    endings = [
        lambda s: block(s, household.nils.user_id, household.emil.user_id),
        lambda s: remove_member(s, household.maja.user_id, household.family_id, household.emil.user_id),
        lambda s: leave_direct(s, household.emil.user_id, direct),
    ]
    for end in endings:
        before = [journal.append(entry_of(direct, household.nils), lambda _: None) for _ in range(20)]

        async def at_once(end: Callable[[Session], object] = end) -> int:
            await database.transaction(end)
            return await database.read(stored)

        count, *_ = await asyncio.gather(at_once(), *before, return_exceptions=True)
        with pytest.raises(JournalRefusal, match="contact_ended"):
            await journal.append(entry_of(direct, household.nils), lambda _: None)
        assert database.run_read(stored) == count
        database.run(lambda s: unblock(s, household.nils.user_id, household.emil.user_id))
        database.run(lambda s: add_member(s, household.family_id, household.emil.user_id, "member"))
