"""Conversations are locked in the order of their ids, with statements of bounded size."""

import pytest
from sqlalchemy.orm import Session

from famichat.chat import lock
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.lock import lock_conversations
from famichat.storage.database import Database
from tests.factories.people import Household


def test_conversations_of_several_statements_are_locked_in_order(
    database: Database, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_IDS_PER_STATEMENT", 2)

    def work(session: Session) -> tuple[list[str], list[str]]:
        maja, *others = [each.user_id for each in household.everyone]
        ids = [create_group_conversation(session, maja, "Holiday", others).conversation.id for _ in range(5)]
        locked = lock_conversations(session, [*reversed(ids), *ids, maja])
        return sorted(ids), [conversation.id for conversation in locked]

    wanted, locked = database.run(work)

    assert locked == wanted
