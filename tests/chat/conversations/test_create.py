"""Creating conversations: the rules of each type, and concurrent calls."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from famichat.chat.conversations.create import (
    CreatedConversation,
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.chat.conversations.view_settings import hide_conversation
from famichat.chat.errors import ChatError, InvalidMembers, InvalidName, NotFound, OwnAccount
from famichat.chat.families.family import create_family
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.participant import Participant, participants
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import INDEX, Household, join

Make = Callable[[Session, Household], CreatedConversation]

MAKERS: dict[str, Make] = {
    "self": lambda session, home: create_self_conversation(session, home.maja.user_id),
    "direct": lambda session, home: create_direct_conversation(
        session, home.maja.user_id, home.emil.user_id, blind_index=INDEX
    ),
    "family": lambda session, home: create_family_conversation(session, home.maja.user_id),
    "group": lambda session, home: create_group_conversation(
        session, home.maja.user_id, "Fika", [home.emil.user_id, home.inga.user_id]
    ),
}
UNIQUE = {kind: make for kind, make in MAKERS.items() if kind != "group"}


def direct(session: Session, one_id: str, other_id: str, family_id: str | None = None) -> CreatedConversation:
    return create_direct_conversation(session, one_id, other_id, family_id, blind_index=INDEX)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("self", {"maja"}), ("direct", {"maja", "emil"}), ("family", {"maja", "emil", "inga", "nils"})],
)
def test_each_type_has_its_people(database: Database, household: Household, kind: str, expected: set[str]) -> None:
    created = database.run(lambda session: MAKERS[kind](session, household))
    people = database.run_read(lambda session: participants(session, created.conversation.id))

    assert created.created
    assert created.conversation.type == kind
    assert {person.username for person in household.everyone if person.user_id in people} == expected
    assert len(people) == len(expected)


@pytest.mark.parametrize("make", UNIQUE.values(), ids=UNIQUE)
def test_asking_again_gives_the_same(database: Database, household: Household, make: Make) -> None:
    first = database.run(lambda session: make(session, household))
    second = database.run(lambda session: make(session, household))

    assert (first.created, second.created) == (True, False)
    assert second.conversation.id == first.conversation.id


def test_a_pair_has_one_direct_conversation_in_either_order(database: Database, household: Household) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id

    assert (
        database.run(lambda session: direct(session, maja, emil)).conversation.id
        == database.run(lambda session: direct(session, emil, maja)).conversation.id
    )


def test_a_pair_has_a_direct_conversation_in_each_family_they_share(database: Database, household: Household) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id

    def found_another(session: Session) -> str:
        cottage = create_family(session, "Stugan", maja)
        join(session, cottage.id, household.emil)
        return cottage.id

    cottage_id = database.run(found_another)
    there = database.run(lambda session: direct(session, maja, emil, cottage_id)).conversation
    unsaid = database.run(lambda session: direct(session, maja, emil)).conversation

    assert there.family_id == cottage_id
    assert unsaid.family_id == household.family_id, "without a family it is the oldest that they share"
    assert there.id != unsaid.id


def test_a_direct_conversation_needs_two_people(database: Database, household: Household) -> None:
    maja = household.maja.user_id

    with pytest.raises(OwnAccount):
        database.run(lambda session: direct(session, maja, maja))


@pytest.mark.parametrize("other", ["a stranger", "nobody", "malformed"])
@pytest.mark.parametrize("kind", ["direct", "group"])
def test_unknown_users_and_outsiders_are_indistinguishable(
    database: Database, household: Household, kind: str, other: str
) -> None:
    other_id = {"a stranger": household.ada.user_id, "nobody": new_id(), "malformed": "ada"}[other]
    maja, emil = household.maja.user_id, household.emil.user_id

    with pytest.raises(NotFound) as refusal:
        database.run(
            lambda session: (
                direct(session, maja, other_id)
                if kind == "direct"
                else create_group_conversation(session, maja, "Fika", [emil, other_id])
            )
        )

    assert (str(refusal.value), refusal.value.details) == ("not_found", {})


@pytest.mark.parametrize("family", ["somebody else's", "nobody's", "malformed"])
def test_a_family_that_is_not_theirs_is_not_found(database: Database, household: Household, family: str) -> None:
    family_id = {"somebody else's": household.other_family_id, "nobody's": new_id(), "malformed": "'"}[family]
    maja, emil, inga = household.maja.user_id, household.emil.user_id, household.inga.user_id
    calls: list[Callable[[Session], CreatedConversation]] = [
        lambda session: direct(session, maja, emil, family_id),
        lambda session: create_group_conversation(session, maja, "Fika", [emil, inga], family_id),
        lambda session: create_family_conversation(session, maja, family_id),
    ]

    for call in calls:
        with pytest.raises(NotFound):
            database.run(call)


def test_a_group_has_an_admin_who_made_it_and_members(database: Database, household: Household) -> None:
    created = database.run(lambda session: MAKERS["group"](session, household))
    rows = database.run_read(
        lambda session: (
            session.execute(select(GroupPrivilege).filter_by(conversation_id=created.conversation.id)).scalars().all()
        )
    )

    assert {(row.user_id, row.role, row.granted_by_id) for row in rows} == {
        (household.maja.user_id, "admin", household.maja.user_id),
        (household.emil.user_id, "member", household.maja.user_id),
        (household.inga.user_id, "member", household.maja.user_id),
    }


def test_two_groups_may_have_the_same_name_and_people(database: Database, household: Household) -> None:
    first = database.run(lambda session: MAKERS["group"](session, household))
    second = database.run(lambda session: MAKERS["group"](session, household))

    assert second.created
    assert first.conversation.id != second.conversation.id


def test_a_group_needs_three_different_people(database: Database, household: Household) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id

    for others in ([], [emil], [emil, emil], [emil, maja]):
        with pytest.raises(InvalidMembers):
            database.run(
                lambda session, others=others: create_group_conversation(session, maja, "Fika", others)  # type: ignore[misc]  # mypy cannot infer a lambda's default
            )


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "Fi\0ka", "two\nlines", "\u202eakif", "\ud800", "x" * 100_000])
def test_a_group_needs_a_decent_name(database: Database, household: Household, name: str) -> None:
    with pytest.raises(InvalidName):
        database.run(
            lambda session: create_group_conversation(
                session, household.maja.user_id, name, [household.emil.user_id, household.inga.user_id]
            )
        )


def test_a_name_may_have_a_family_of_emoji_in_it(database: Database, household: Household) -> None:
    name = "Åke \U0001f468\u200d\U0001f469\u200d\U0001f467"
    created = database.run(
        lambda session: create_group_conversation(
            session, household.maja.user_id, f" {name} ", [household.emil.user_id, household.inga.user_id]
        )
    )

    assert created.conversation.name == name


def test_a_user_without_a_family_cannot_make_a_family_conversation(database: Database, household: Household) -> None:
    with pytest.raises(NotFound):
        database.run(lambda session: create_family_conversation(session, new_id()))


def test_every_member_may_ask_for_the_family_conversation(database: Database, household: Household) -> None:
    by_nils = database.run(lambda session: create_family_conversation(session, household.nils.user_id))
    by_maja = database.run(lambda session: create_family_conversation(session, household.maja.user_id))

    assert by_nils.created
    assert by_maja.conversation.id == by_nils.conversation.id


def test_asking_again_shows_a_hidden_conversation_to_the_one_who_asks(database: Database, household: Household) -> None:
    created = database.run(lambda session: MAKERS["direct"](session, household))
    pair = (household.maja.user_id, household.emil.user_id)
    for user_id in pair:
        database.run(lambda session, user_id=user_id: hide_conversation(session, user_id, created.conversation.id))  # type: ignore[misc]  # mypy cannot infer a lambda's default

    database.run(lambda session: MAKERS["direct"](session, household))

    def hidden(session: Session) -> list[bool]:
        return [
            session.get_one(Participant, (created.conversation.id, user_id)).hidden_at is not None for user_id in pair
        ]

    assert database.run_read(hidden) == [False, True]


def test_a_removed_member_does_not_get_it_by_creating_it_again(database: Database, household: Household) -> None:
    created = database.run(lambda session: MAKERS["family"](session, household))
    database.run(
        lambda session: session.execute(delete(Participant).where(Participant.user_id == household.maja.user_id))
    )

    with pytest.raises(NotFound):
        database.run(lambda session: MAKERS["family"](session, household))
    members = database.run_read(lambda session: participants(session, created.conversation.id))
    assert household.maja.user_id not in members


def test_required_encryption_applies_from_the_first_message(database: Database, household: Household) -> None:
    created = database.run(
        lambda session: create_self_conversation(session, household.maja.user_id, encryption_required=True)
    )

    assert created.conversation.encryption_required


@pytest.mark.parametrize("make", UNIQUE.values(), ids=UNIQUE)
async def test_fifty_at_once_get_one_and_the_same(database: Database, household: Household, make: Make) -> None:
    answers = await asyncio.gather(*(database.transaction(lambda session: make(session, household)) for _ in range(50)))
    rows = database.run_read(lambda session: session.execute(select(func.count(Conversation.id))).scalar_one())

    assert len({answer.conversation.id for answer in answers}) == 1
    assert [answer.created for answer in answers].count(True) == 1
    assert rows == 1


async def test_a_family_that_grows_while_its_conversation_is_made_is_in_it_whole(
    database: Database, household: Household
) -> None:
    await asyncio.gather(
        database.transaction(lambda session: create_family_conversation(session, household.maja.user_id)),
        database.transaction(lambda session: join(session, household.family_id, household.ada)),
    )
    created = database.run(lambda session: create_family_conversation(session, household.maja.user_id))
    people = database.run_read(lambda session: participants(session, created.conversation.id))

    assert household.ada.user_id in people
    assert len(people) == 5


def test_transactions_are_serializable(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer: it knows no other isolation")

    assert database.run(lambda session: session.execute(text("SHOW transaction_isolation")).scalar()) == "serializable"


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("other", ["self", "direct", "group", "family"])
def test_the_database_refuses_another_type(database: Database, household: Household, make: Make, other: str) -> None:
    conversation = database.run(lambda session: make(session, household)).conversation
    if other == conversation.type:
        return

    with pytest.raises(DBAPIError, match="conversations_type_is_immutable"):
        database.run(
            lambda session: session.execute(
                text("UPDATE conversations SET type = :other WHERE id = :id"),
                {"other": other, "id": conversation.id},
            )
        )


@pytest.mark.parametrize("make", UNIQUE.values(), ids=UNIQUE)
def test_the_database_refuses_a_second_one(database: Database, household: Household, make: Make) -> None:
    first = database.run(lambda session: make(session, household)).conversation

    def twin(session: Session) -> None:
        same = {each: getattr(first, each) for each in ("type", "family_id", "owner_id", "direct_key")}
        session.add(Conversation(id=new_id(), **same))
        session.flush()

    with pytest.raises(IntegrityError):
        database.run(twin)


@pytest.mark.parametrize(
    "column",
    [{"name": ""}, {"name": "x" * 101}, {"last_seq": -1}, {"owner_id": None}],
    ids=lambda column: str(column)[:20],
)
def test_the_database_refuses_what_no_conversation_is(
    database: Database, household: Household, column: dict[str, object]
) -> None:
    database.run(lambda session: create_self_conversation(session, household.maja.user_id))

    with pytest.raises(DBAPIError):
        database.run(lambda session: session.execute(update(Conversation).values(**column)))


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in ChatError.__subclasses__()]

    assert len(codes) == len(set(codes))
