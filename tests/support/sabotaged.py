"""Famichat with a planted bug for the checker to find: `python -m tests.support.sabotaged "sync off"`."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any, Final
from unittest.mock import patch

from famichat.actions import conversations
from famichat.app.server import run
from famichat.chat.journal import batch, journal
from famichat.chat.journal.entry import ClientKey, Entry, KnownMessage, Stored
from famichat.chat.journal.statements import Head, SqliteStatements
from famichat.chat.messages import history
from famichat.endpoint.channels import message_channel
from famichat.realtime.message import ReplyPayload, ok
from famichat.settings import load_settings
from famichat.storage.database import Database
from tests.support.model_server import Bug

COMMIT_LATER: Final = 0.05


def sync_off() -> None:
    class Careless(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *parameters)

    plant(sqlite3, "connect", partial(sqlite3.connect, factory=Careless))


def ack_before_commit() -> None:
    async def write_batch(database: Database, entries: list[Entry], uncertain: Collection[str]) -> list[batch.Outcome]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[batch.Outcome]] = loop.create_future()

        def write() -> None:
            with database.journal_transaction() as cursor:
                rows = batch._Batch(SqliteStatements(cursor), entries, uncertain)
                outcomes = [rows.place(entry) for entry in entries]
                rows.store()
                loop.call_soon_threadsafe(answer.set_result, outcomes)
                time.sleep(COMMIT_LATER)

        writing = asyncio.create_task(database.on_journal(write))
        outcomes = await answer
        writing.add_done_callback(asyncio.Task.result)
        return outcomes

    plant(journal, "write_batch", write_batch)


def no_id_check() -> None:
    def known(_: SqliteStatements, __: set[ClientKey]) -> dict[ClientKey, KnownMessage]:
        return {}

    plant(SqliteStatements, "known", known)
    path = load_settings().effective_database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:  # the database would notice
        connection.execute("DROP INDEX IF EXISTS uq_messages_client_id")


def broker_only() -> None:
    asked = history.resume

    def resume(*arguments: Any, **named: Any) -> history.Resume:
        return replace(asked(*arguments, **named), messages=[], has_more=False)

    async def fetch(_: message_channel.MessageChannel, __: dict[str, Any]) -> ReplyPayload:
        return ok({"messages": [], "has_more": False})

    plant(conversations, "resume", resume)
    message_channel.MessageChannel._HANDLERS["fetch"] = fetch


def seq_from_clock() -> None:
    def next_seq(self: batch._Batch, entry: Entry, head: Head, _: ClientKey | None) -> Stored:
        seq = time.time_ns() // 1000
        self._moved[entry.conversation_id] = seq
        self._rows.append((entry, seq, seq))
        return Stored(entry.id, seq, self._moment, repeat=False, conversation_type=head.type)

    plant(batch._Batch, "_next", next_seq)


def resume_off_by_one() -> None:
    asked = history.resume

    def resume(session: Any, access: Any, has: history.ResumeFrom, **named: Any) -> history.Resume:
        return asked(session, access, replace(has, last_seq=has.last_seq - 1 if has.last_seq else None), **named)

    plant(conversations, "resume", resume)


def plant(where: object, name: str, bug: object) -> None:
    """Install `bug` for the lifetime of the process."""
    patch.object(where, name, bug).start()


PLANTS: Final[dict[Bug, Callable[[], None]]] = {
    Bug.SYNC_OFF: sync_off,
    Bug.ACK_BEFORE_COMMIT: ack_before_commit,
    Bug.NO_ID_CHECK: no_id_check,
    Bug.BROKER_ONLY: broker_only,
    Bug.SEQ_FROM_CLOCK: seq_from_clock,
    Bug.RESUME_OFF_BY_ONE: resume_off_by_one,
}

if __name__ == "__main__":
    PLANTS[Bug(sys.argv[1])]()
    run(load_settings(), lambda _: None)
