"""Access to conversations: members get it, and outsiders cannot tell whether one exists."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

import famichat
from famichat.chat.access import conversation_for, conversations_of, everyones_access, is_visible
from famichat.chat.conversations.create import create_family_conversation, create_self_conversation
from famichat.chat.conversations.view_settings import archive_conversation, hide_conversation
from famichat.chat.errors import NotFound
from famichat.chat.records.conversation import CONVERSATION_TYPES, Conversation
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.participant import Participant
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.errors import DataDamaged
from famichat.telemetry.events import Event, RowDamaged
from tests.factories.people import Household
from tests.factories.talk import direct_of, group_of, say
from tests.support.statements import count_statements

SOURCE = Path(famichat.__file__).parent


def test_a_participant_is_let_in(database: Database, household: Household) -> None:
    direct_id = database.run(lambda session: direct_of(session, household))
    access = database.run_read(lambda session: conversation_for(session, household.emil.user_id, direct_id, "direct"))

    assert access.conversation.id == direct_id
    assert access.user_id == household.emil.user_id
    assert access.role == "member"


def _removed(session: Session, household: Household, conversation_id: str) -> None:
    session.execute(
        delete(Participant).where(
            Participant.conversation_id == conversation_id, Participant.user_id == household.emil.user_id
        )
    )


def test_missing_forbidden_malformed_mistyped_and_removed_are_one_answer(
    database: Database, household: Household
) -> None:
    direct_id = database.run(lambda session: direct_of(session, household))
    group_id = database.run(lambda session: group_of(session, household))
    database.run(lambda session: _removed(session, household, group_id))
    maja, emil, ada = household.maja.user_id, household.emil.user_id, household.ada.user_id
    asked: dict[str, tuple[str, str, str | None]] = {
        "missing": (maja, new_id(), "direct"),
        "forbidden": (ada, direct_id, "direct"),
        "forbidden without a type": (household.inga.user_id, direct_id, None),
        "malformed": (maja, "1 OR 1=1", "direct"),
        "not as we write ids": (maja, direct_id.upper() + " ", "direct"),
        "a surrogate": (maja, "\ud800" * 36, "direct"),
        "mistyped": (maja, direct_id, "group"),
        "a type that does not exist": (maja, direct_id, "secret"),
        "removed": (emil, group_id, "group"),
        "nobody asks": ("nobody", direct_id, "direct"),
    }
    answers = set()
    for user_id, conversation_id, kind in asked.values():
        with pytest.raises(NotFound) as refusal:
            database.run_read(
                lambda session, u=user_id, c=conversation_id, k=kind: conversation_for(session, u, c, k)  # type: ignore[misc]  # mypy cannot infer a lambda's defaults
            )
        answers.add((type(refusal.value), str(refusal.value), str(refusal.value.details), refusal.value.code))

    assert answers == {(NotFound, "not_found", "{}", "not_found")}


@pytest.mark.parametrize("kind", CONVERSATION_TYPES)
def test_an_id_opens_under_its_own_type_only(database: Database, household: Household, kind: str) -> None:
    group_id = database.run(lambda session: group_of(session, household))

    def ask(session: Session) -> str:
        return conversation_for(session, household.maja.user_id, group_id, kind).conversation.id

    if kind == "group":
        assert database.run_read(ask) == group_id
    else:
        with pytest.raises(NotFound):
            database.run_read(ask)


def test_roles_come_from_the_group_or_from_the_family(database: Database, household: Household) -> None:
    made: dict[str, str] = {
        "group": database.run(lambda session: group_of(session, household)),
        "family": database.run(
            lambda session: create_family_conversation(session, household.nils.user_id)
        ).conversation.id,
        "direct": database.run(lambda session: direct_of(session, household)),
    }

    def role(session: Session, user_id: str, kind: str) -> str:
        return conversation_for(session, user_id, made[kind], kind).role

    maja, emil = household.maja.user_id, household.emil.user_id
    roles = database.run_read(lambda session: [(role(session, maja, k), role(session, emil, k)) for k in made])

    assert roles == [("admin", "member"), ("admin", "member"), ("member", "member")]


def test_a_conversation_is_on_exactly_one_shelf(database: Database, household: Household) -> None:
    user_id = household.maja.user_id

    def fill(session: Session) -> list[str]:
        ids = [group_of(session, household) for _ in range(4)]
        for conversation_id in (ids[1], ids[3]):
            hide_conversation(session, user_id, conversation_id)
        for conversation_id in (ids[2], ids[3]):
            archive_conversation(session, user_id, conversation_id)
        return ids

    ids = database.run(fill)

    def shelves(session: Session) -> list[list[str]]:
        return [
            [each.conversation.id for each in conversations_of(session, user_id, hidden=hidden, archived=archived)]
            for hidden, archived in ((False, False), (True, False), (False, True), (True, True))
        ]

    assert database.run_read(shelves) == [[each] for each in ids]


def test_the_list_has_what_happened_last_first_and_nothing_of_others(database: Database, household: Household) -> None:
    def fill(session: Session) -> tuple[str, str]:
        create_self_conversation(session, household.emil.user_id)
        return direct_of(session, household), group_of(session, household)

    direct_id, group_id = database.run(fill)
    database.run(lambda session: say(session, direct_id, household.emil, "hej"))

    def ids(session: Session) -> list[str]:
        return [each.conversation.id for each in conversations_of(session, household.maja.user_id)]

    assert database.run_read(ids) == [direct_id, group_id]
    assert database.run_read(lambda session: conversations_of(session, household.ada.user_id)) == []


def test_each_member_has_a_separate_access(database: Database, household: Household) -> None:
    group_id = database.run(lambda session: group_of(session, household))
    accesses = database.run_read(lambda session: everyones_access(session, group_id))

    assert {(each.user_id, each.role) for each in accesses} == {
        (household.maja.user_id, "admin"),
        (household.emil.user_id, "member"),
        (household.inga.user_id, "member"),
    }


def test_a_long_list_costs_one_query(database: Database, household: Household) -> None:
    database.run(lambda session: [group_of(session, household) for _ in range(25)])
    ask: Callable[[Session], object] = lambda session: conversations_of(session, household.maja.user_id)  # noqa: E731 - its type is the point

    assert count_statements(database, ask) == 1


def test_the_rule_about_the_past_is_compared_in_two_places_only() -> None:
    comparing = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.glob("**/*.py")
        if "migrations" not in path.parts and any(map(compares_visibility, ast.walk(ast.parse(path.read_text()))))
    }
    assert comparing == {"chat/access.py", "chat/journal/statements.py"}


def compares_visibility(node: ast.AST) -> bool:
    """Whether code, or SQL in a string, compares the first visible position with anything or computes with it."""
    if isinstance(node, ast.Compare | ast.BinOp):
        return "visible_from" in ast.unparse(node)
    return isinstance(node, ast.Constant) and bool(re.search(r"[<>=] *(\w+\.)?visible_from_seq", str(node.value)))


@pytest.mark.parametrize(("seq", "seen"), [(2, False), (3, True), (4, True)])
def test_a_message_is_visible_from_the_first_visible_one_on(seq: int, *, seen: bool) -> None:
    assert is_visible(seq, visible_from_seq=3) is seen


@pytest.mark.parametrize(
    ("record", "change"),
    [
        (Participant, {"visible_from_seq": 5}),
        (Conversation, {"name": "Fikb"}),
        (GroupPrivilege, {"role": "admin"}),
    ],
)
def test_a_damaged_conversation_membership_or_role_gives_no_access(
    database: Database, household: Household, record: type[Any], change: dict[str, Any], emitted: list[Event]
) -> None:
    group_id, direct_id = database.run(lambda session: (group_of(session, household), direct_of(session, household)))
    rows = update(record).where(record.id == group_id if record is Conversation else record.conversation_id == group_id)
    database.run(lambda session: session.execute(rows.values(change)))

    with pytest.raises(DataDamaged):
        database.run_read(lambda session: conversation_for(session, household.emil.user_id, group_id))
    access = database.run_read(lambda session: conversation_for(session, household.emil.user_id, direct_id))
    assert access.is_intact
    assert RowDamaged(table=record.__tablename__) in emitted
