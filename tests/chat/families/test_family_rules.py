"""The rules of a family under random actions of its members, on both databases.

Maja, Emil, Inga, Nils and Ada of next door make conversations, talk, add, remove, leave, change roles, hide, archive
and read, in any order, most of it not allowed. Whatever happens, after each step the sentences below are true.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import String, cast, delete, select, update
from sqlalchemy.orm import Session

from famichat.accounts.user import User
from famichat.chat.access import conversation_for, conversations_of, everyones_access
from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.chat.conversations.summary import conversation_summaries
from famichat.chat.conversations.view_settings import archive_conversation, hide_conversation, unarchive_conversation
from famichat.chat.errors import ChatError, NotFound
from famichat.chat.families.membership import add_member, change_role, remove_member
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.groups.roles import assign_admin, assign_member
from famichat.chat.journal.batch import write_batch
from famichat.chat.journal.entry import Entry, Stored
from famichat.chat.messages.history import messages_before
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import Family, FamilyMembership
from famichat.chat.records.message import BODY_PURPOSE
from famichat.chat.records.receipt import Receipt
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import INDEX, VAULT, Household, Person, household
from tests.factories.talk import acknowledged
from tests.support.effort import repetitions

EXAMPLES, STEPS = repetitions(4, long=100), 40
NAMES = ("maja", "emil", "inga", "nils", "ada")
names = st.sampled_from(NAMES)
picks = st.integers(0, 20)
roles = st.sampled_from(("admin", "member"))


class Days(RuleBasedStateMachine):
    """A stateful test of random actions."""

    database: Database
    homes: Iterator[Household]

    @initialize()
    def wake(self) -> None:
        self.home = next(self.homes)
        self.types: dict[str, str] = {}
        self.members: dict[str, dict[str, str]] = {}
        self.roster: dict[str, str] = {}
        self.hidden: set[tuple[str, str]] = set()
        self.archived: set[tuple[str, str]] = set()
        self.arrived: dict[tuple[str, str], int] = {}
        self.look_around()
        self.create("maja", "emil", "inga", "group")

    # Actions

    @rule(who=names, other=names, third=names, kind=st.sampled_from(("self", "direct", "group", "family")))
    def create(self, who: str, other: str, third: str, kind: str) -> None:
        me, you, they = (self.person(name).user_id for name in (who, other, third))
        made = self.attempt(
            {
                "self": lambda session: create_self_conversation(session, me),
                "direct": lambda session: create_direct_conversation(session, me, you, blind_index=INDEX),
                "group": lambda session: create_group_conversation(session, me, "Fika", [you, they]),
                "family": lambda session: create_family_conversation(session, me, self.home.family_id),
            }[kind]
        )
        if made is not None:
            self.types[made.conversation.id] = kind
            self.hidden.discard((made.conversation.id, me))

    @rule(who=names, pick=picks)
    def send(self, who: str, pick: int) -> None:
        talk = self.talk(pick)
        if talk and self.say(who, talk):
            self.hidden = {pair for pair in self.hidden if pair[0] != talk}

    @rule(who=names, pick=picks, other=names)
    def add(self, who: str, pick: int, other: str) -> None:
        self.of(pick, lambda session, talk: add_to_group(session, self.id(who), talk, self.id(other)))

    @rule(who=names, pick=picks, other=names)
    def remove(self, who: str, pick: int, other: str) -> None:
        self.of(pick, lambda session, talk: remove_from_group(session, self.id(who), talk, self.id(other)))

    @rule(who=names, pick=picks)
    def leave(self, who: str, pick: int) -> None:
        self.of(pick, lambda session, talk: remove_from_group(session, self.id(who), talk, self.id(who)))

    @rule(who=names, pick=picks, other=names, role=roles)
    def change_role(self, who: str, pick: int, other: str, role: str) -> None:
        assign = assign_admin if role == "admin" else assign_member
        self.of(pick, lambda session, talk: assign(session, self.id(who), talk, self.id(other)))

    @rule(who=names, other=names)
    def remove_from_family(self, who: str, other: str) -> None:
        self.attempt(lambda session: remove_member(session, self.id(who), self.home.family_id, self.id(other)))

    @rule(who=st.sampled_from(NAMES[:4]))
    def come_back_to_the_family(self, who: str) -> None:
        self.attempt(lambda session: add_member(session, self.home.family_id, self.id(who), "member"))

    @rule(who=names, other=names, role=roles)
    def change_role_in_family(self, who: str, other: str, role: Any) -> None:
        self.attempt(lambda session: change_role(session, self.id(who), self.home.family_id, self.id(other), role))

    @rule(who=names, pick=picks)
    def hide(self, who: str, pick: int) -> None:
        if self.of(pick, lambda session, talk: hide_conversation(session, self.id(who), talk)):
            self.hidden.add((str(self.talk(pick)), self.id(who)))

    @rule(who=names, pick=picks, away=st.booleans())
    def archive(self, who: str, pick: int, *, away: bool) -> None:
        change = archive_conversation if away else unarchive_conversation
        if self.of(pick, lambda session, talk: change(session, self.id(who), talk)):
            (self.archived.add if away else self.archived.discard)((str(self.talk(pick)), self.id(who)))

    @rule(who=names, pick=picks)
    def read(self, who: str, pick: int) -> None:
        def read_all(session: Session, talk: str) -> None:
            access = conversation_for(session, self.id(who), talk)
            acknowledged(session, talk, self.person(who), access.conversation.last_seq)

        self.of(pick, read_all)

    # Invariants

    @invariant()
    def a_group_with_people_in_it_has_an_admin(self) -> None:
        for talk, members in self.members.items():
            if self.types[talk] == "group" and members:
                assert "admin" in members.values()

    @invariant()
    def the_family_has_an_admin_and_its_conversation_is_its_roster(self) -> None:
        assert "admin" in self.roster.values()
        for talk, members in self.members.items():
            if self.types[talk] == "family":
                assert members == self.roster

    @invariant()
    def who_is_in_a_conversation_is_who_may_be(self) -> None:
        for talk, members in self.members.items():
            if self.types[talk] == "group":
                assert set(members) <= set(self.roster)
            elif self.types[talk] != "family":
                assert len(members) == {"self": 1, "direct": 2}[self.types[talk]]

    @invariant()
    def a_type_never_changes(self) -> None:
        stored = self.look(lambda session: session.execute(select(Conversation.id, Conversation.type)).all())
        assert dict(stored) == self.types

    @invariant()
    def nobody_outside_sees_anything(self) -> None:
        def knock(session: Session) -> None:
            for talk, members in self.members.items():
                for user_id in self.ids - set(members):
                    with pytest.raises(NotFound):
                        conversation_for(session, user_id, talk)

        if self.changed:
            self.look(knock)

    @invariant()
    def each_shelf_is_membership_and_visibility(self) -> None:
        def compare(session: Session) -> None:
            for user_id in self.ids:
                for hidden, archived in itertools.product((False, True), repeat=2):
                    shelf = conversations_of(session, user_id, hidden=hidden, archived=archived)
                    assert {access.conversation.id for access in shelf} == {
                        talk
                        for talk, members in self.members.items()
                        if user_id in members
                        and ((talk, user_id) in self.hidden) is hidden
                        and ((talk, user_id) in self.archived) is archived
                    }

        # A returning member has default view settings: neither hidden nor archived.
        present = {(talk, user_id) for talk, members in self.members.items() for user_id in members}
        self.hidden &= present
        self.archived &= present
        if self.changed:
            self.look(compare)

    @invariant()
    def unread_is_what_others_said_since_one_read_in_the_time_one_may_see(self) -> None:
        def compare(session: Session) -> None:
            accesses = [access for talk in self.types for access in everyones_access(session, talk)]
            read = {(each.conversation_id, each.user_id): each.read_seq for each in session.scalars(select(Receipt))}
            for overview in conversation_summaries(session, accesses):
                access = overview.access
                page = messages_before(session, access, vault=VAULT)["messages"]
                furthest = read.get((access.conversation.id, access.user_id), 0)
                new = [each for each in page if each["user_id"] != access.user_id and each["seq"] > furthest]
                assert overview.unread == len(new)
                first = self.arrived[access.conversation.id, access.user_id] + 1
                assert [each["seq"] for each in page] == list(range(first, access.conversation.last_seq + 1))

        if self.changed:
            self.look(compare)

    # Helpers

    @property
    def ids(self) -> set[str]:
        return {self.id(name) for name in NAMES}

    def person(self, name: str) -> Person:
        found: Person = getattr(self.home, name)
        return found

    def id(self, name: str) -> str:
        return self.person(name).user_id

    def talk(self, pick: int) -> str | None:
        return list(self.types)[pick % len(self.types)] if self.types else None

    def of(self, pick: int, act: Callable[[Session, str], object]) -> bool:
        """Change a conversation; return whether the change succeeded."""
        talk = self.talk(pick)
        return talk is not None and self.attempt(lambda session: (act(session, talk),)) is not None

    def attempt(self, act: Callable[[Session], Any]) -> Any:
        """Run an action that succeeds or raises one of the expected errors."""
        try:
            done = self.database.run(act)
        except ChatError:
            self.changed = False
            return None
        self.look_around()
        return done

    def look_around(self) -> None:
        """Read the members and roles of each conversation from every member's view."""

        def ask(session: Session) -> None:
            here = FamilyMembership.family_id == self.home.family_id
            rows = session.execute(select(FamilyMembership.user_id, FamilyMembership.role).where(here))
            self.roster = {each.user_id: each.role for each in rows}
            self.members = {
                talk: {access.user_id: access.role for access in everyones_access(session, talk)}
                for (talk,) in session.execute(select(Conversation.id))
            }
            heads = {each.id: each.last_seq for each in session.scalars(select(Conversation))}
            present = [(talk, user_id) for talk, members in self.members.items() for user_id in members]
            self.arrived = {
                (talk, user_id): self.arrived.get((talk, user_id), heads[talk]) for talk, user_id in present
            }

        self.look(ask)
        self.changed = True

    def look(self, question: Callable[[Session], Any]) -> Any:
        return self.database.run_read(question)

    def say(self, who: str, talk: str) -> bool:
        message_id = new_id()
        entry = Entry(
            id=message_id,
            conversation_id=talk,
            conversation_type=self.types[talk],
            user_id=self.id(who),
            device_id=self.person(who).device_id,
            message_type="text",
            body=VAULT.seal(BODY_PURPOSE, b"hej", message_id),
            client_id=None,
            fingerprint=None,
            reply_to_id=None,
            encryption_flag=False,
            encryption_version=None,
            key_id=None,
        )
        [outcome] = asyncio.run(write_batch(self.database, [entry]))
        self.look_around()
        return isinstance(outcome, Stored)


def move_out(session: Session) -> None:
    """Prepare for the next household: delete all but the users, to whom the audit log refers, and rename them."""
    for each in (Conversation, Family):
        session.execute(delete(each))
    name = cast(User.id, String)
    session.execute(
        update(User).values(username_key=name, username_look=name, email=None, email_index=None, checksum=None)
    )


def test_the_rules_hold_whatever_a_family_does(database: Database) -> None:
    def homes() -> Iterator[Household]:
        while True:
            database.run(move_out)
            yield database.run(household)

    machine = type("DaysHere", (Days,), {"database": database, "homes": homes()})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
