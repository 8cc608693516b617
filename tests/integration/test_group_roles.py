"""Random changes of a group's members and roles, compared with a simple model, on both databases.

In any order of actions, a group with members has an admin, and only members have recorded roles.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.errors import ChatError
from famichat.chat.families.family import create_family
from famichat.chat.families.membership import add_member, change_role, remove_member
from famichat.chat.groups import roles
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.participant import participants
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Person, person
from tests.support.effort import repetitions

EXAMPLES = repetitions(8, long=100)
STEPS = 40
NAMES = ("maja", "emil", "inga", "nils", "sven")

names = st.sampled_from(NAMES)


class Group(RuleBasedStateMachine):
    """The model of one group. `roles` are the expected roles; the family's members are read, not modelled."""

    database: Database
    everyone: dict[str, Person]

    @initialize(history=st.sampled_from(["joined", "all"]))
    def meet(self, history: Any) -> None:
        """Create a new family of the same five users, in which Maja creates a group with Emil and Inga."""
        ids = {name: each.user_id for name, each in self.everyone.items()}

        def begin(session: Session) -> tuple[str, str]:
            family = create_family(session, f"Sundqvist {new_id()}", ids["sven"])
            for name in NAMES:
                add_member(session, family.id, ids[name], "member")
            others = [ids["emil"], ids["inga"]]
            made = create_group_conversation(session, ids["maja"], "Fika", others, family.id, history=history)
            return family.id, made.conversation.id

        self.ids = ids
        self.family_id, self.group_id = self.database.run(begin)
        self.roles = {"maja": "admin", "emil": "member", "inga": "member"}

    @rule(who=names, other=names)
    def add(self, who: str, other: str) -> None:
        """An admin adds a member of the family."""
        refusal = self._refusal(who)
        if refusal is None and other not in self._family():
            refusal = "not_found"
        if self._succeeds(add_to_group, who, other, refusal):
            self.roles.setdefault(other, "member")

    @rule(who=names, other=names)
    def remove(self, who: str, other: str) -> None:
        """A member leaves or is removed."""
        refusal = self._refusal(who, also_oneself=who == other) or self._about(other)
        if refusal is None and self._is_last_admin(other) and len(self.roles) > 1:
            refusal = "last_admin"
        if self._succeeds(remove_from_group, who, other, refusal):
            del self.roles[other]

    @rule(who=names, other=names)
    def promote(self, who: str, other: str) -> None:
        """An admin promotes a member."""
        refusal = self._refusal(who) or self._about(other)
        if self._succeeds(roles.assign_admin, who, other, refusal):
            self.roles[other] = "admin"

    @rule(who=names, other=names, change=st.sampled_from([roles.assign_member, roles.remove]))
    def demote(self, who: str, other: str, change: Callable[..., object]) -> None:
        """An admin demotes a member."""
        refusal = self._refusal(who) or self._about(other)
        if refusal is None and self._is_last_admin(other):
            refusal = "last_admin"
        if self._succeeds(change, who, other, refusal):
            self.roles[other] = "member"

    @rule(who=names)
    def leave_the_family(self, who: str) -> None:
        """The family admin removes a member, who may be the only admin of the group."""
        if who in self._family() and who != "sven":
            admins_before = [name for name, role in self.roles.items() if role == "admin"]
            removal = self.database.run(
                lambda session: remove_member(session, self.ids["sven"], self.family_id, self.ids[who])
            )
            self.roles.pop(who, None)
            assert bool(removal.promoted) == (admins_before == [who] and bool(self.roles))
            for promoted in removal.promoted:
                self.roles[next(name for name in NAMES if self.ids[name] == promoted.user_id)] = "admin"

    @rule(who=names, role=st.sampled_from(["admin", "member"]))
    def come_to_the_family(self, who: str, role: Any) -> None:
        """A user joins the family (again), without becoming a member of the group."""
        self.database.run(lambda session: add_member(session, self.family_id, self.ids[who], role))

    @rule(who=names)
    def rise_in_the_family(self, who: str) -> None:
        """A role in the family gives no role in the group."""
        if who in self._family():
            self.database.run(
                lambda session: change_role(session, self.ids["sven"], self.family_id, self.ids[who], "admin")
            )

    @invariant()
    def a_group_with_members_has_an_admin(self) -> None:
        """The roles are those of the model."""

        def look(session: Session) -> tuple[set[str], dict[str, str]]:
            granted = select(GroupPrivilege).where(GroupPrivilege.conversation_id == self.group_id)
            rows = session.execute(granted).scalars()
            return set(participants(session, self.group_id)), {row.user_id: row.role for row in rows}

        there, granted = self.database.run_read(look)
        assert there == {self.ids[name] for name in self.roles}
        assert set(granted) <= there, "privileges are only for who takes part"
        assert not there or "admin" in granted.values()
        assert {user_id for user_id, role in granted.items() if role == "admin"} == {
            self.ids[name] for name, role in self.roles.items() if role == "admin"
        }

    def _succeeds(self, change: Callable[..., object], who: str, other: str, refusal: str | None) -> bool:
        """Run an action and compare its error, if any, with the model."""
        answer = None
        try:
            self.database.run(lambda session: change(session, self.ids[who], self.group_id, self.ids[other]))
        except ChatError as fault:
            answer = fault.code
        assert answer == refusal
        return answer is None

    def _refusal(self, who: str, *, also_oneself: bool = False) -> str | None:
        if who not in self.roles:
            return "not_found"
        return None if also_oneself or self.roles[who] == "admin" else "not_admin"

    def _about(self, other: str) -> str | None:
        return None if other in self.roles else "not_participant"

    def _is_last_admin(self, name: str) -> bool:
        return [each for each, role in self.roles.items() if role == "admin"] == [name]

    def _family(self) -> set[str]:
        roster = select(FamilyMembership.user_id).where(FamilyMembership.family_id == self.family_id)
        there = set(self.database.run_read(lambda session: session.execute(roster).scalars().all()))
        return {name for name, user_id in self.ids.items() if user_id in there}


def test_a_group_always_has_an_admin_and_no_stranger_has_a_role(database: Database) -> None:
    everyone = database.run(lambda session: {name: person(session, name) for name in NAMES})
    machine = type("Group", (Group,), {"database": database, "everyone": everyone})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
