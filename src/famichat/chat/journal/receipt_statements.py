"""The SQL of receipts, once for each database: driver calls without the ORM, one statement per question and batch.

`chat/messages/receipt_batch.py` makes the decisions; these classes only read and write.
"""

from __future__ import annotations  # a large library is imported for annotations only

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from famichat.chat.journal.statements import arrays, json_of, sqlite_time
from famichat.storage.turns import ENTER

if TYPE_CHECKING:
    import psycopg

Reader = tuple[str, str, str]
"""A conversation, a user and a device of that user."""


@dataclass(slots=True)
class Reading:
    """What a member's device has acknowledged in a conversation: positions, 0 for none.

    Attributes:
        conversation_type: the type of the conversation.
        last_seq: the position of its newest message.
        visible_from_seq: the first message that the member may see.
        device_kind: the kind that the device has declared, if any.
        read_receipts: whether other members may see what this member reads.
        delivered_seq: received by this device.
        read_seq: read on this device.
        attended_seq: received while the app was in the foreground.
    """

    conversation_type: str
    last_seq: int
    visible_from_seq: int
    device_kind: str | None
    read_receipts: bool
    delivered_seq: int
    read_seq: int
    attended_seq: int


class ReceiptStatements(Protocol):
    """The statements of a batch of receipts, inside its transaction."""

    def readings(self, readers: set[Reader]) -> dict[Reader, Reading]:
        """Lock the conversations until commit, and return the readings of current members on signed-in devices."""

    def messages(self, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """Return the conversation and the `seq` of each of these messages that exists, by id."""

    def write(self, readings: Collection[tuple[Reader, Reading]], timestamp: datetime) -> None:
        """Store positions; `timestamp` is in UTC. A position that is stored already never decreases."""


_READING = (
    "c.type, c.last_seq, p.visible_from_seq, d.kind, u.read_notices, "
    "coalesce(r.delivered_seq, 0), coalesce(r.read_seq, 0), coalesce(r.attended_seq, 0)"
)
_JOINS = (
    "JOIN conversations c ON c.id = wanted.c "
    "JOIN conversation_participants p ON p.conversation_id = wanted.c AND p.user_id = wanted.u "
    "JOIN accounts_users u ON u.id = wanted.u "
    "JOIN accounts_devices d ON d.id = wanted.d AND d.user_id = wanted.u AND d.revoked_at IS NULL "
    "LEFT JOIN message_receipts r ON r.conversation_id = wanted.c AND r.device_id = wanted.d"
)
_COLUMNS = "conversation_id, user_id, device_id, delivered_seq, read_seq, attended_seq, updated_at"


def _row(reader: Reader, reading: Reading, updated_at: Any) -> tuple[Any, ...]:
    return (*reader, reading.delivered_seq, reading.read_seq, reading.attended_seq, updated_at)


def _on_conflict(greatest: str) -> str:
    positions = ("delivered_seq", "read_seq", "attended_seq")
    maximums = ", ".join(f"{name} = {greatest}(excluded.{name}, message_receipts.{name})" for name in positions)
    update = f"UPDATE SET {maximums}, updated_at = excluded.updated_at"  # nosec B608 - constants only
    return f"ON CONFLICT (conversation_id, device_id) DO {update}"


class SqliteReceiptStatements:
    """The statements for SQLite. No row needs a lock, because BEGIN IMMEDIATE excludes every other writer."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def readings(self, readers: set[Reader]) -> dict[Reader, Reading]:
        """See `ReceiptStatements.readings`."""
        rows = self._cursor.execute(
            f"SELECT wanted.c, wanted.u, wanted.d, {_READING} "  # noqa: S608 - constants only  # nosec B608
            "FROM (SELECT value ->> 0 AS c, value ->> 1 AS u, value ->> 2 AS d FROM json_each(?)) AS wanted "
            f"{_JOINS}",
            (json_of(readers),),
        )
        return _readings(rows)

    def messages(self, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """See `ReceiptStatements.messages`."""
        rows = self._cursor.execute(
            "SELECT id, conversation_id, seq FROM messages WHERE id IN (SELECT value FROM json_each(?))",
            (json_of(ids),),
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    def write(self, readings: Collection[tuple[Reader, Reading]], timestamp: datetime) -> None:
        """See `ReceiptStatements.write`."""
        updated_at = sqlite_time(timestamp)
        self._cursor.executemany(
            f"INSERT INTO message_receipts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) {_on_conflict('max')}",  # noqa: S608 - constants only  # nosec B608
            [_row(reader, reading, updated_at) for reader, reading in readings],
        )


class PostgresReceiptStatements:
    """The statements for PostgreSQL. Conversations are locked as in `PostgresStatements`, in the order of their ids.

    Another node may change the members or the positions until then; afterwards both stay as they are until the commit.
    """

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor

    def readings(self, readers: set[Reader]) -> dict[Reader, Reading]:
        """See `ReceiptStatements.readings`."""
        self._cursor.execute(
            f"SELECT {ENTER} FROM conversations WHERE id = ANY(%s::uuid[]) "  # noqa: S608 - constants only  # nosec B608
            "ORDER BY id FOR NO KEY UPDATE".encode(),
            (sorted({conversation_id for conversation_id, _, _ in readers}),),
        )
        rows = self._cursor.execute(
            f"SELECT wanted.c::text, wanted.u::text, wanted.d::text, {_READING} "  # noqa: S608 - constants only  # nosec B608
            f"FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS wanted (c, u, d) {_JOINS}".encode(),
            arrays(readers),
        )
        return _readings(rows)

    def messages(self, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """See `ReceiptStatements.messages`."""
        rows = self._cursor.execute(
            "SELECT id::text, conversation_id::text, seq FROM messages WHERE id = ANY(%s::uuid[])", (list(ids),)
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    def write(self, readings: Collection[tuple[Reader, Reading]], timestamp: datetime) -> None:
        """See `ReceiptStatements.write`."""
        self._cursor.execute(
            f"INSERT INTO message_receipts ({_COLUMNS}) SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], "  # noqa: S608 - constants only  # nosec B608
            f"%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[]) {_on_conflict('greatest')}".encode(),
            arrays(_row(reader, reading, timestamp) for reader, reading in readings),
        )


def _readings(rows: Iterable[Any]) -> dict[Reader, Reading]:
    return {
        (row[0], row[1], row[2]): Reading(row[3], row[4], row[5], row[6], bool(row[7]), row[8], row[9], row[10])
        for row in rows
    }
