import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.chat.errors import LastAdmin, NotAdmin, NotFound, NotGroupConversation, NotParticipant
from famichat.chat.families.membership import Removal, add_member, remove_member
from famichat.chat.groups.membership import MemberAdded, PromotedAdmin, add_to_group, remove_from_group
from famichat.chat.groups.roles import assign_admin, assign_member
from famichat.chat.journal.entry import JournalRefusal, Stored
from famichat.chat.journal.journal import Journal
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import INDEX, Household, Person, person
from tests.factories.talk import entry_of, group_of, say

T = TypeVar("T")


@pytest.fixture
def group(database: Database, household: Household) -> str:
    """A group of Maja (admin), Emil and Inga."""
    return database.run(lambda session: group_of(session, household))


def do(database: Database, change: Callable[[Session, str, str, str], T], who: Person, group: str, other: Person) -> T:
    return database.run(lambda session: change(session, who.user_id, group, other.user_id))


async def at_once(database: Database, *changes: tuple[Callable[..., Any], Person, str, Person]) -> list[Any]:
    """The results of concurrent changes."""

    def ask(change: Callable[..., Any], who: Person, where: str, other: Person) -> Any:
        return database.transaction(lambda session: change(session, who.user_id, where, other.user_id))

    return await asyncio.gather(*(ask(*each) for each in changes), return_exceptions=True)


def people(database: Database, group: str) -> dict[str, int]:
    """The members, with the first message that each may see."""
    query = select(Participant).where(Participant.conversation_id == group)
    return {
        each.user_id: each.visible_from_seq
        for each in database.run_read(lambda session: session.execute(query).scalars().all())
    }


def roles(database: Database, group: str) -> dict[str, str]:
    """The recorded roles."""
    query = select(GroupPrivilege).where(GroupPrivilege.conversation_id == group)
    return {
        each.user_id: each.role for each in database.run_read(lambda session: session.execute(query).scalars().all())
    }


def ids(*who: Person) -> set[str]:
    return {each.user_id for each in who}


def test_an_admin_adds_a_plain_member_once(database: Database, household: Household, group: str) -> None:
    nils = household.nils.user_id
    arrivals = [do(database, add_to_group, household.maja, group, household.nils) for _ in range(2)]

    assert arrivals == [MemberAdded(group, nils, added=True), MemberAdded(group, nils, added=False)]
    assert nils in people(database, group)
    assert roles(database, group)[nils] == "member"


def test_adding_an_admin_again_takes_nothing_away(database: Database, household: Household, group: str) -> None:
    do(database, assign_admin, household.maja, group, household.emil)
    do(database, add_to_group, household.maja, group, household.emil)

    assert roles(database, group)[household.emil.user_id] == "admin"


@pytest.mark.parametrize(("history", "first"), [("joined", 3), ("all", 1)])
def test_new_members_see_the_history_chosen_when_the_group_was_created(
    database: Database, household: Household, history: Any, first: int
) -> None:
    maja, others = household.maja.user_id, [household.emil.user_id, household.inga.user_id]
    made = database.run(lambda session: create_group_conversation(session, maja, "Fika", others, history=history))
    group = made.conversation.id
    database.run(lambda session: say(session, group, household.maja, "one", "two"))
    do(database, add_to_group, household.maja, group, household.nils)

    assert people(database, group) == {maja: 1, **dict.fromkeys(others, 1), household.nils.user_id: first}


def test_a_returning_member_does_not_see_the_messages_in_between(
    database: Database, household: Household, group: str
) -> None:
    do(database, remove_from_group, household.maja, group, household.emil)
    database.run(lambda session: say(session, group, household.maja, "he need not know"))
    do(database, add_to_group, household.maja, group, household.emil)

    assert people(database, group)[household.emil.user_id] == 2
    assert roles(database, group)[household.emil.user_id] == "member"


def test_users_of_other_families_cannot_be_added(database: Database, household: Household, group: str) -> None:
    for user_id in (household.ada.user_id, new_id(), "nonsense"):
        other = Person(user_id, "", "")
        with pytest.raises(NotFound):
            do(database, add_to_group, household.maja, group, other)


def test_a_member_neither_adds_nor_removes(database: Database, household: Household, group: str) -> None:
    with pytest.raises(NotAdmin):
        do(database, add_to_group, household.emil, group, household.nils)
    with pytest.raises(NotAdmin):
        do(database, remove_from_group, household.emil, group, household.inga)


@pytest.mark.parametrize("change", [add_to_group, remove_from_group])
def test_outsiders_do_not_find_the_group(
    database: Database, household: Household, group: str, change: Callable[..., object]
) -> None:
    do(database, remove_from_group, household.inga, group, household.inga)
    for outsider, where in itertools.product((household.inga, household.nils, household.ada), (group, new_id(), "x")):
        for other in (outsider, household.emil):
            with pytest.raises(NotFound):
                do(database, change, outsider, where, other)


@pytest.mark.parametrize("change", [add_to_group, remove_from_group])
def test_only_groups_change_their_people(
    database: Database, household: Household, change: Callable[..., object]
) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    for made in (
        database.run(lambda session: create_self_conversation(session, maja)),
        database.run(lambda session: create_direct_conversation(session, maja, emil, blind_index=INDEX)),
        database.run(lambda session: create_family_conversation(session, maja)),
    ):
        with pytest.raises(NotGroupConversation):
            do(database, change, household.maja, made.conversation.id, household.emil)


def test_only_who_takes_part_can_be_removed(database: Database, household: Household, group: str) -> None:
    for user_id in (household.nils.user_id, household.ada.user_id, new_id(), "nonsense"):
        with pytest.raises(NotParticipant):
            do(database, remove_from_group, household.maja, group, Person(user_id, "", ""))


def test_a_removed_member_loses_membership_and_role_together(
    database: Database, household: Household, group: str
) -> None:
    do(database, assign_admin, household.maja, group, household.emil)
    do(database, remove_from_group, household.maja, group, household.emil)

    assert set(people(database, group)) == set(roles(database, group)) == ids(household.maja, household.inga)
    with pytest.raises(NotFound):
        database.run_read(lambda session: conversation_for(session, household.emil.user_id, group))


def test_a_group_that_shrinks_stays_a_group(database: Database, household: Household, group: str) -> None:
    for each in (household.emil, household.inga):
        do(database, remove_from_group, each, group, each)

    access = database.run_read(lambda session: conversation_for(session, household.maja.user_id, group))
    assert (access.conversation.type, access.role) == ("group", "admin")
    do(database, add_to_group, household.maja, group, household.nils)


def test_the_last_admin_stays_while_there_are_other_members(
    database: Database, household: Household, group: str
) -> None:
    with pytest.raises(LastAdmin):
        do(database, remove_from_group, household.maja, group, household.maja)

    for each in (household.emil, household.inga):
        do(database, remove_from_group, household.maja, group, each)
    do(database, remove_from_group, household.maja, group, household.maja)

    assert people(database, group) == {}
    assert roles(database, group) == {}


def test_a_group_that_loses_its_last_admin_with_the_family_gets_the_oldest_other_member(
    database: Database, household: Household, group: str
) -> None:
    do(database, add_to_group, household.maja, group, household.nils)
    do(database, assign_admin, household.maja, group, household.nils)
    do(database, assign_member, household.maja, group, household.maja)
    do(database, remove_from_group, household.emil, group, household.emil)
    do(database, add_to_group, household.nils, group, household.emil)
    first = min(ids(household.maja, household.inga))  # both came when the group was made

    removal = do(database, remove_member, household.maja, household.family_id, household.nils)

    assert removal == Removal(household.nils.user_id, (("group", group),), (PromotedAdmin(group, first),))
    assert [user_id for user_id, role in roles(database, group).items() if role == "admin"] == [first]
    heir = select(GroupPrivilege.granted_by_id).filter_by(conversation_id=group, user_id=first)
    assert database.run_read(lambda session: session.execute(heir).scalar_one()) == household.maja.user_id


def test_a_group_that_keeps_an_admin_gets_no_other(database: Database, household: Household, group: str) -> None:
    do(database, assign_admin, household.maja, group, household.emil)

    removal = do(database, remove_member, household.maja, household.family_id, household.emil)

    assert removal.promoted == ()
    assert roles(database, group) == {household.maja.user_id: "admin", household.inga.user_id: "member"}


# Races


async def test_of_two_admins_who_leave_at_once_one_stays_always(
    database: Database, household: Household, group: str
) -> None:
    maja, emil = household.maja, household.emil
    do(database, assign_admin, maja, group, emil)

    for _ in range(50):
        outcomes = await at_once(
            database, (remove_from_group, maja, group, maja), (remove_from_group, emil, group, emil)
        )

        assert sorted(type(each).__name__ for each in outcomes) == ["LastAdmin", "NoneType"]
        stays, went = (emil, maja) if outcomes[0] is None else (maja, emil)
        do(database, add_to_group, stays, group, went)
        do(database, assign_admin, stays, group, went)


async def test_of_fifty_admins_who_leave_at_once_one_stays(database: Database, household: Household) -> None:
    def a_crowd(session: Session) -> tuple[str, list[Person]]:
        crowd = [person(session, f"guest{number}") for number in range(50)]
        for each in crowd:
            add_member(session, household.family_id, each.user_id, "member")
        others = [*(each.user_id for each in crowd[1:]), household.nils.user_id]
        group = create_group_conversation(session, crowd[0].user_id, "Party", others).conversation.id
        for each in crowd[1:]:
            assign_admin(session, crowd[0].user_id, group, each.user_id)
        return group, crowd

    group, crowd = database.run(a_crowd)
    outcomes = await at_once(database, *((remove_from_group, each, group, each) for each in crowd))

    assert [type(each) for each in outcomes].count(LastAdmin) == 1
    assert outcomes.count(None) == 49
    [admin] = [user_id for user_id, role in roles(database, group).items() if role == "admin"]
    assert set(people(database, group)) == {admin, household.nils.user_id}


async def test_fifty_who_add_the_same_person_at_once_add_one(
    database: Database, household: Household, group: str
) -> None:
    arrivals = await at_once(database, *[(add_to_group, household.maja, group, household.nils)] * 50)

    assert [arrival.added for arrival in arrivals].count(True) == 1


async def test_a_concurrent_removal_from_the_family_wins_over_adding_to_a_group(
    database: Database, household: Household, group: str
) -> None:
    for _ in range(25):
        await at_once(
            database,
            (remove_member, household.maja, household.family_id, household.nils),
            (add_to_group, household.maja, group, household.nils),
        )

        assert household.nils.user_id not in people(database, group)
        database.run(lambda session: add_member(session, household.family_id, household.nils.user_id, "member"))


# Against the journal


@asynccontextmanager
async def running(database: Database) -> AsyncIterator[Journal]:
    journal = Journal(database)
    try:
        yield journal
    finally:
        await journal.close()


async def test_no_message_of_a_removed_member_is_stored_after_the_removal(
    database: Database, household: Household, group: str
) -> None:
    """Messages race the removal: the stored ones precede it, the others are refused."""

    async def say_it(journal: Journal) -> Stored | JournalRefusal:
        try:
            return await journal.append(entry_of(group, household.emil), lambda _: None)
        except JournalRefusal as refusal:
            return refusal

    def put_out(session: Session) -> int:
        remove_from_group(session, household.maja.user_id, group, household.emil.user_id)
        return session.get_one(Conversation, group).last_seq

    furthest = select(func.max(Message.seq)).where(Message.conversation_id == group)
    async with running(database) as journal:
        await journal.append(entry_of(group, household.maja), lambda _: None)
        for _ in range(25):
            early = [asyncio.create_task(say_it(journal)) for _ in range(20)]
            await asyncio.sleep(0.002)
            removing = asyncio.create_task(database.transaction(put_out))
            late = []
            while not removing.done():
                late.append(asyncio.create_task(say_it(journal)))
                await asyncio.sleep(0.001)
            at_removal = await removing
            outcomes = await asyncio.gather(*early, *late)

            assert all(each.seq <= at_removal for each in outcomes if isinstance(each, Stored))
            assert database.run_read(lambda session: session.execute(furthest).scalar()) == at_removal
            do(database, add_to_group, household.maja, group, household.emil)
            assert people(database, group)[household.emil.user_id] == at_removal + 1


async def test_a_removed_member_can_be_cut_off_before_later_messages_are_announced(
    database: Database, household: Household, group: str
) -> None:
    announced: list[int | str] = []

    async def say_it(journal: Journal) -> None:
        await journal.append(entry_of(group, household.maja), lambda stored: announced.append(stored.seq))

    def put_out(session: Session) -> int:
        remove_from_group(session, household.maja.user_id, group, household.emil.user_id)
        return session.get_one(Conversation, group).last_seq

    async def cut_off() -> int:
        at_removal = await database.between_batches(put_out)
        announced.append("out")
        return at_removal

    async with running(database) as journal:
        for _ in range(25):
            announced.clear()
            removing = asyncio.create_task(cut_off())
            sent = []
            while not removing.done():
                sent.append(asyncio.create_task(say_it(journal)))
                await asyncio.sleep(0.0005)
            await asyncio.gather(*sent)
            at_removal = await removing

            before = announced[: announced.index("out")]
            assert all(int(seq) <= at_removal for seq in before)
            assert len(announced) == len(sent) + 1
            do(database, add_to_group, household.maja, group, household.emil)
