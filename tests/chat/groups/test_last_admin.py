"""Two admins who give up their role concurrently, in different ways: one succeeds, the other gets `last_admin`.

In groups and in families, on both databases, always: they leave, step down and delete their accounts, in every
combination, forty-eight times for each place and database; and they turn on each other.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement, count, product

import pytest
from sqlalchemy.orm import Session

from famichat.chat.account_deletion import delete_account
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.errors import ChatError, LastAdmin
from famichat.chat.families.family import create_family, members_of
from famichat.chat.families.membership import add_member, change_role, remove_member
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.groups.roles import assign_admin, assign_member, is_admin
from famichat.chat.records.participant import participants
from famichat.storage.database import Database
from tests.factories.people import Person, person

Move = Callable[[Session, str, Person, Person], object]
"""An action of an admin in a group or family: on the admin's own role, or on that of the other admin."""

ROUNDS = 8
PLACES = ("group", "family")

OF_A_GROUP: dict[str, Move] = {
    "leaves": lambda session, it, me, _: remove_from_group(session, me.user_id, it, me.user_id),
    "steps down": lambda session, it, me, _: assign_member(session, me.user_id, it, me.user_id),
    "deletes the account": lambda session, _, me, __: delete_account(session, me.user_id),
}
OF_A_FAMILY: dict[str, Move] = {
    "leaves": lambda session, it, me, _: remove_member(session, me.user_id, it, me.user_id),
    "steps down": lambda session, it, me, _: change_role(session, me.user_id, it, me.user_id, "member"),
    "deletes the account": lambda session, _, me, __: delete_account(session, me.user_id),
}
ON_EACH_OTHER: dict[str, dict[str, Move]] = {
    "group": {
        "removes": lambda session, it, me, you: remove_from_group(session, me.user_id, it, you.user_id),
        "demotes": lambda session, it, me, you: assign_member(session, me.user_id, it, you.user_id),
    },
    "family": {
        "removes": lambda session, it, me, you: remove_member(session, me.user_id, it, you.user_id),
        "demotes": lambda session, it, me, you: change_role(session, me.user_id, it, you.user_id, "member"),
    },
}
ON_ONESELF = {"group": OF_A_GROUP, "family": OF_A_FAMILY}
numbers = count()


def two_admins(session: Session, place: str) -> tuple[str, Person, Person, Person]:
    """A new group or family with two admins and a member; the family of such a group has another admin."""
    one, other, third, head = (person(session, f"{name}{next(numbers)}") for name in ("maja", "emil", "nils", "inga"))
    family = create_family(session, "Sundqvist", head.user_id if place == "group" else one.user_id)
    for who in (one, other, third):
        add_member(session, family.id, who.user_id, "member")
    if place == "family":
        change_role(session, one.user_id, family.id, other.user_id, "admin")
        return family.id, one, other, third
    others = [other.user_id, third.user_id]
    group = create_group_conversation(session, one.user_id, "Fika", others, family.id).conversation.id
    assign_admin(session, one.user_id, group, other.user_id)
    return group, one, other, third


def admins(session: Session, place: str, it: str) -> tuple[set[str], set[str]]:
    """The members and the admins."""
    if place == "group":
        there = set(participants(session, it))
        return there, {each for each in there if is_admin(session, it, each)}
    roster = members_of(session, it)
    return {each.user_id for each in roster}, {each.user_id for each in roster if each.role == "admin"}


async def at_once(database: Database, it: str, *moves: tuple[Move, Person, Person]) -> list[str]:
    """Run two actions concurrently; return the error code of each, or `ok`."""

    async def act(move: Move, me: Person, you: Person) -> str:
        try:
            await database.transaction(lambda session: move(session, it, me, you))
        except ChatError as fault:
            return fault.code
        return "ok"

    return await asyncio.gather(*(act(*each) for each in moves))


def pairs(place: str) -> Iterator[tuple[str, str]]:
    """Every pair of actions by which two admins give up their role."""
    return combinations_with_replacement(ON_ONESELF[place], 2)


@pytest.mark.parametrize("place", PLACES)
async def test_of_two_admins_who_go_in_the_same_instant_one_succeeds_always(database: Database, place: str) -> None:
    outcomes: Counter[tuple[str, ...]] = Counter()
    for first, second in list(pairs(place)) * ROUNDS:
        it, one, other, third = await database.transaction(lambda session: two_admins(session, place))
        moves = ON_ONESELF[place]

        codes = await at_once(database, it, (moves[first], one, other), (moves[second], other, one))

        assert sorted(codes) == [LastAdmin.code, "ok"], (first, second)
        there, left = await database.read(lambda session, it=it: admins(session, place, it))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        assert left == {other.user_id if codes[0] == "ok" else one.user_id}, (first, second)
        assert third.user_id in there
        outcomes[tuple(codes)] += 1

    assert sum(outcomes.values()) == 6 * ROUNDS


@pytest.mark.parametrize("place", PLACES)
async def test_of_two_admins_who_turn_on_each_other_one_stays_always(database: Database, place: str) -> None:
    against, on_oneself = ON_EACH_OTHER[place], ON_ONESELF[place]
    for first, second in product(against, {**against, **on_oneself}):
        for _ in range(ROUNDS // 4):
            it, one, other, third = await database.transaction(lambda session: two_admins(session, place))
            answer = (against | on_oneself)[second]

            codes = await at_once(database, it, (against[first], one, other), (answer, other, one))

            there, left = await database.read(lambda session, it=it: admins(session, place, it))  # type: ignore[misc]  # as above
            assert left, (first, second, codes)
            assert left <= {one.user_id, other.user_id} & there
            assert third.user_id in there
            assert "ok" in codes, (first, second, codes)
            assert set(codes) <= {"ok", "last_admin", "not_admin", "not_found", "not_participant"}, codes
