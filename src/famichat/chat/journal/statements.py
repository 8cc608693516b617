"""The journal's SQL, once for each database: driver calls without the ORM, one statement per question and batch.

`batch.py` makes the decisions; these classes only read and write.
"""

from __future__ import annotations  # a large library is imported for annotations only

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from famichat.chat.journal.entry import Attached, ClientKey, Entry, KnownMessage
from famichat.storage.checksum import row_checksum
from famichat.storage.turns import ENTER

if TYPE_CHECKING:
    import psycopg

Sender = tuple[str, str, str]
Reply = tuple[str, str, str]
Known = dict[ClientKey, KnownMessage]
NewRow = tuple[Entry, int, int]
AttachmentKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Head:
    """The columns of a conversation that the journal reads."""

    type: str
    last_seq: int
    encryption_required: bool


@dataclass(frozen=True, slots=True)
class Roster:
    """The state of a conversation's MLS group that decides whether a message is stored.

    Attributes:
        epoch: the current epoch; None after a restore, until the group is created again.
        needs_commit: whether a roster rule is broken; see `NEEDS_COMMIT`.
    """

    generation: int
    epoch: int | None
    needs_commit: bool

    @property
    def key_id(self) -> str:
        """The `key_id` of messages in the current epoch."""
        return f"{self.generation}:{self.epoch}"


MLS_PROTOCOL = "mls10"
"""The `protocol` of messages in conversations that have an MLS group."""

NEEDS_COMMIT = """
    g.epoch IS NULL
    OR EXISTS (
      SELECT 1 FROM mls_leaves l WHERE l.conversation_id = g.conversation_id AND (
        NOT EXISTS (SELECT 1 FROM conversation_participants p
          WHERE p.conversation_id = l.conversation_id AND p.user_id = l.user_id)
        OR NOT EXISTS (SELECT 1 FROM accounts_devices d
          WHERE d.id = l.device_id AND d.user_id = l.user_id AND d.revoked_at IS NULL)))
    OR EXISTS (
      SELECT 1 FROM conversation_participants p WHERE p.conversation_id = g.conversation_id AND (
        p.visible_from_seq - 1 > g.since_seq
        OR (NOT EXISTS (SELECT 1 FROM mls_leaves l
              WHERE l.conversation_id = p.conversation_id AND l.user_id = p.user_id)
            AND EXISTS (SELECT 1 FROM device_keys k
              JOIN accounts_devices d ON d.id = k.device_id AND d.revoked_at IS NULL
              JOIN key_packages y ON y.device_id = k.device_id
              WHERE k.user_id = p.user_id AND k.certificate IS NOT NULL AND y.expires_at > CURRENT_TIMESTAMP
                AND (y.claimed_for IS NULL OR y.claimed_for = p.conversation_id)))))
"""
"""The SQL condition that an MLS group, `mls_groups g`, breaks one of the two roster rules. Its result is never stored.

R1, no former member can read on: no leaf belongs to a device that is revoked or deleted, or to a user who is not a
participant. R2, every current member can read from the right point: every participant who has a signed device with a
key package has a leaf, and the epoch began when the newest participant joined, or later.
"""


class Statements(Protocol):
    """The statements of a batch, inside its transaction."""

    def heads(self, conversation_ids: list[str]) -> dict[str, Head]:
        """Lock conversations until commit and return those that exist, by id."""

    def senders(self, senders: set[Sender]) -> dict[Sender, int]:
        """Return the (conversation, user, device) triples of current members on devices that are not revoked.

        Their values are the `sender_seq` of the user's newest message in the conversation, 0 for none.
        """

    def rosters(self, conversation_ids: list[str]) -> dict[str, Roster]:
        """Return the MLS groups of those of these conversations that have one."""

    def leaves(self, conversation_ids: list[str]) -> set[tuple[str, str]]:
        """Return the (conversation, device) pairs of the leaves of these conversations."""

    def open_contacts(self, conversation_ids: list[str]) -> set[str]:
        """Return those of these direct conversations whose two members may send each other messages."""

    def known(self, keys: set[ClientKey]) -> Known:
        """Return the messages that are stored under these client ids, with their fingerprints."""

    def stored(self, ids: Collection[str]) -> dict[str, KnownMessage]:
        """Return the messages with these ids, by id."""

    def replies(self, replies: set[Reply]) -> set[Reply]:
        """Return the (conversation, user, message) triples in which the user may see the message."""

    def attachments(self, keys: set[AttachmentKey]) -> dict[AttachmentKey, Attached]:
        """Return the completed uploads of these users in these conversations that belong to no message yet."""

    def taken(self, message_ids: Collection[str]) -> dict[str, tuple[Attached, ...]]:
        """Return the attachments of these messages, by message id and in order; none for a message without any."""

    def insert(self, rows: list[NewRow], timestamp: datetime) -> None:
        """Insert messages, each with its `seq` and `sender_seq`; `timestamp` is in UTC."""

    def attach(self, attached: list[tuple[str, int, str]]) -> None:
        """Assign attachments to messages, as (message id, position from 0, attachment id)."""

    def move(self, heads: Mapping[str, int], timestamp: datetime) -> None:
        """Set `last_seq` of conversations, and unhide them for members who hid them."""


_COLUMNS = (
    "id, conversation_id, seq, user_id, device_id, message_type, body, client_id, fingerprint, reply_to_id, "
    "encryption_flag, encryption_version, key_id, protocol, epoch, sender_device_id, inserted_at, sender_seq, checksum"
)

_TYPES = (
    *("uuid", "uuid", "bigint", "uuid", "uuid", "text", "bytea"),
    *("text", "bytea", "uuid", "bool", "text", "text", "text", "bigint", "uuid", "timestamptz", "bigint", "bigint"),
)


# The condition of `chat.contact.is_open`. Neither of the last two tables has a row with the same user twice, so both
# orders of the pair are covered.
_OPEN_CONTACTS = (
    "FROM conversation_participants a "
    "JOIN conversation_participants b ON b.conversation_id = a.conversation_id AND b.user_id > a.user_id "
    "WHERE EXISTS (SELECT 1 FROM family_memberships f JOIN family_memberships g ON g.family_id = f.family_id "
    "WHERE f.user_id = a.user_id AND g.user_id = b.user_id) "
    "AND NOT EXISTS (SELECT 1 FROM user_blocks k "
    "WHERE k.user_id IN (a.user_id, b.user_id) AND k.blocked_id IN (a.user_id, b.user_id)) "
    "AND NOT EXISTS (SELECT 1 FROM ended_contacts e "
    "WHERE e.child_id IN (a.user_id, b.user_id) AND e.contact_id IN (a.user_id, b.user_id)) "
)


_SQLITE_SENDER_SEQ = (
    "coalesce((SELECT m.sender_seq FROM messages m WHERE m.user_id = wanted.u AND m.conversation_id = wanted.c "
    "ORDER BY m.seq DESC LIMIT 1), 0)"
)
# The same; `chat.conversations.summary` says why it is a range.
_POSTGRES_SENDER_SEQ = (
    "coalesce((SELECT CASE WHEN m.user_id = wanted.u AND m.conversation_id = wanted.c THEN m.sender_seq END "
    "FROM messages m WHERE (m.user_id, m.conversation_id) <= (wanted.u, wanted.c) "
    "ORDER BY m.user_id DESC, m.conversation_id DESC, m.seq DESC LIMIT 1), 0)"
)


def _row(new: NewRow, timestamp: datetime, inserted_at: Any) -> tuple[Any, ...]:
    entry, seq, sender_seq = new
    return (
        entry.id,
        entry.conversation_id,
        seq,
        entry.user_id,
        entry.device_id,
        entry.message_type,
        entry.body,
        entry.client_id,
        entry.fingerprint,
        entry.reply_to_id,
        entry.encryption_flag,
        entry.encryption_version,
        entry.key_id,
        entry.protocol,
        entry.epoch,
        entry.sender_device_id,
        inserted_at,
        sender_seq,
        _checksum(entry, seq, timestamp),
    )


def _checksum(entry: Entry, seq: int, timestamp: datetime) -> int:
    """Return the checksum of a new message, as the ORM computes it; see `storage.checksum`."""
    return row_checksum(
        {
            "id": entry.id,
            "conversation_id": entry.conversation_id,
            "seq": seq,
            "user_id": entry.user_id,
            "message_type": entry.message_type,
            "body": entry.body if entry.encryption_flag else True,
            "client_id": entry.client_id,
            "fingerprint": entry.fingerprint,
            "encryption_flag": entry.encryption_flag,
            "encryption_version": entry.encryption_version,
            "key_id": entry.key_id,
            "protocol": entry.protocol,
            "epoch": entry.epoch,
            "sender_device_id": entry.sender_device_id,
            "inserted_at": timestamp,
            "edits": 0,
            "change": 0,
        }
    )


class SqliteStatements:
    """The statements for SQLite. A set of values is passed as one JSON parameter.

    No row needs a lock: the journal's transaction starts with BEGIN IMMEDIATE, which excludes every other writer.
    """

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def heads(self, conversation_ids: list[str]) -> dict[str, Head]:
        """See `Statements.heads`."""
        rows = self._cursor.execute(
            "SELECT id, type, last_seq, encryption_required FROM conversations "
            "WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(conversation_ids),),
        )
        return {row[0]: Head(row[1], row[2], bool(row[3])) for row in rows}

    def senders(self, senders: set[Sender]) -> dict[Sender, int]:
        """See `Statements.senders`."""
        rows = self._cursor.execute(
            f"SELECT p.conversation_id, p.user_id, d.id, {_SQLITE_SENDER_SEQ} "  # noqa: S608 - constants only  # nosec B608
            "FROM (SELECT value ->> 0 AS c, value ->> 1 AS u, value ->> 2 AS d FROM json_each(?)) AS wanted "
            "JOIN conversation_participants p ON p.conversation_id = wanted.c AND p.user_id = wanted.u "
            "JOIN accounts_devices d ON d.id = wanted.d AND d.user_id = wanted.u AND d.revoked_at IS NULL",
            (json_of(senders),),
        )
        return {(row[0], row[1], row[2]): row[3] for row in rows}

    def rosters(self, conversation_ids: list[str]) -> dict[str, Roster]:
        """See `Statements.rosters`."""
        rows = self._cursor.execute(
            f"SELECT g.conversation_id, g.generation, g.epoch, {NEEDS_COMMIT} FROM mls_groups g "  # noqa: S608 - constants only  # nosec B608
            "WHERE g.conversation_id IN (SELECT value FROM json_each(?))",
            (json.dumps(conversation_ids),),
        )
        return {row[0]: Roster(row[1], row[2], bool(row[3])) for row in rows}

    def leaves(self, conversation_ids: list[str]) -> set[tuple[str, str]]:
        """See `Statements.leaves`."""
        rows = self._cursor.execute(
            "SELECT conversation_id, device_id FROM mls_leaves "
            "WHERE conversation_id IN (SELECT value FROM json_each(?))",
            (json.dumps(conversation_ids),),
        )
        return {(row[0], row[1]) for row in rows}

    def open_contacts(self, conversation_ids: list[str]) -> set[str]:
        """See `Statements.open_contacts`."""
        rows = self._cursor.execute(
            f"SELECT a.conversation_id {_OPEN_CONTACTS} "  # noqa: S608 - constants only  # nosec B608
            "AND a.conversation_id IN (SELECT value FROM json_each(?))",
            (json.dumps(conversation_ids),),
        )
        return {row[0] for row in rows}

    def known(self, keys: set[ClientKey]) -> Known:
        """See `Statements.known`."""
        rows = self._cursor.execute(
            "SELECT m.conversation_id, m.user_id, m.client_id, m.id, m.seq, m.inserted_at, m.fingerprint "
            "FROM (SELECT value ->> 0 AS c, value ->> 1 AS u, value ->> 2 AS k FROM json_each(?)) AS wanted "
            "JOIN messages m ON m.conversation_id = wanted.c AND m.user_id = wanted.u AND m.client_id = wanted.k",
            (json_of(keys),),
        )
        return dict(_known(row, _from_sqlite_time(row[5])) for row in rows)

    def stored(self, ids: Collection[str]) -> dict[str, KnownMessage]:
        """See `Statements.stored`."""
        rows = self._cursor.execute(
            "SELECT id, seq, inserted_at, fingerprint FROM messages WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(ids)),),
        )
        return {row[0]: KnownMessage(row[0], row[1], _from_sqlite_time(row[2]), row[3]) for row in rows}

    def replies(self, replies: set[Reply]) -> set[Reply]:
        """See `Statements.replies`."""
        rows = self._cursor.execute(
            "SELECT p.conversation_id, p.user_id, m.id "
            "FROM (SELECT value ->> 0 AS c, value ->> 1 AS u, value ->> 2 AS m FROM json_each(?)) AS wanted "
            "JOIN conversation_participants p ON p.conversation_id = wanted.c AND p.user_id = wanted.u "
            "JOIN messages m ON m.id = wanted.m AND m.conversation_id = wanted.c AND m.seq >= p.visible_from_seq",
            (json_of(replies),),
        )
        return {(row[0], row[1], row[2]) for row in rows}

    def attachments(self, keys: set[AttachmentKey]) -> dict[AttachmentKey, Attached]:
        """See `Statements.attachments`."""
        rows = self._cursor.execute(
            "SELECT a.conversation_id, a.user_id, a.id, a.size, a.content_type, a.encrypted, a.width, a.height, "
            "a.thumbnail_bytes, a.duration_ms, a.sealed "
            "FROM (SELECT value ->> 0 AS c, value ->> 1 AS u, value ->> 2 AS a FROM json_each(?)) AS wanted "
            "JOIN attachments a ON a.id = wanted.a AND a.conversation_id = wanted.c AND a.user_id = wanted.u "
            "WHERE a.finished_at IS NOT NULL AND a.message_id IS NULL",
            (json_of(keys),),
        )
        return dict(map(_attached, rows))

    def taken(self, message_ids: Collection[str]) -> dict[str, tuple[Attached, ...]]:
        """See `Statements.taken`."""
        rows = self._cursor.execute(
            "SELECT message_id, user_id, id, size, content_type, encrypted, width, height, thumbnail_bytes, "
            "duration_ms, sealed FROM attachments WHERE message_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY position",
            (json_of(message_ids),),
        )
        return _taken(message_ids, rows)

    def insert(self, rows: list[NewRow], timestamp: datetime) -> None:
        """See `Statements.insert`."""
        inserted_at = sqlite_time(timestamp)
        self._cursor.executemany(
            f"INSERT INTO messages ({_COLUMNS}) VALUES ({', '.join('?' * len(_TYPES))})",  # noqa: S608 - constants only  # nosec B608
            [_row(new, timestamp, inserted_at) for new in rows],
        )

    def attach(self, attached: list[tuple[str, int, str]]) -> None:
        """See `Statements.attach`."""
        self._cursor.executemany("UPDATE attachments SET message_id = ?, position = ? WHERE id = ?", attached)

    def move(self, heads: Mapping[str, int], timestamp: datetime) -> None:
        """See `Statements.move`."""
        updated_at = sqlite_time(timestamp)
        self._cursor.executemany(
            "UPDATE conversations SET last_seq = ?, updated_at = ? WHERE id = ?",
            [(seq, updated_at, conversation_id) for conversation_id, seq in heads.items()],
        )
        self._cursor.execute(
            "UPDATE conversation_participants SET hidden_at = NULL "
            "WHERE hidden_at IS NOT NULL AND conversation_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(heads)),),
        )


class PostgresStatements:
    """The statements for PostgreSQL. A set of values is passed as arrays, one for each column.

    Conversation rows are locked in the order of their ids, the order of `chat.lock`: any other order could deadlock.
    """

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor

    def heads(self, conversation_ids: list[str]) -> dict[str, Head]:
        """See `Statements.heads`."""
        rows = self._cursor.execute(
            f"SELECT id::text, type, last_seq, encryption_required, {ENTER} FROM conversations "  # noqa: S608 - constants only  # nosec B608
            "WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE".encode(),
            (conversation_ids,),
        )
        return {row[0]: Head(row[1], row[2], row[3]) for row in rows}

    def senders(self, senders: set[Sender]) -> dict[Sender, int]:
        """See `Statements.senders`."""
        rows = self._cursor.execute(
            f"SELECT p.conversation_id::text, p.user_id::text, d.id::text, {_POSTGRES_SENDER_SEQ} "  # noqa: S608 - constants only  # nosec B608
            "FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS wanted (c, u, d) "
            "JOIN conversation_participants p ON p.conversation_id = wanted.c AND p.user_id = wanted.u "
            "JOIN accounts_devices d ON d.id = wanted.d AND d.user_id = wanted.u AND d.revoked_at IS NULL".encode(),
            arrays(senders),
        )
        return {(row[0], row[1], row[2]): row[3] for row in rows}

    def rosters(self, conversation_ids: list[str]) -> dict[str, Roster]:
        """See `Statements.rosters`."""
        rows = self._cursor.execute(
            f"SELECT g.conversation_id::text, g.generation, g.epoch, {NEEDS_COMMIT} FROM mls_groups g "  # noqa: S608 - constants only  # nosec B608
            "WHERE g.conversation_id = ANY(%s::uuid[])".encode(),
            (conversation_ids,),
        )
        return {row[0]: Roster(row[1], row[2], row[3]) for row in rows}

    def leaves(self, conversation_ids: list[str]) -> set[tuple[str, str]]:
        """See `Statements.leaves`."""
        rows = self._cursor.execute(
            "SELECT conversation_id::text, device_id::text FROM mls_leaves WHERE conversation_id = ANY(%s::uuid[])",
            (conversation_ids,),
        )
        return {(row[0], row[1]) for row in rows}

    def open_contacts(self, conversation_ids: list[str]) -> set[str]:
        """See `Statements.open_contacts`."""
        rows = self._cursor.execute(
            f"SELECT a.conversation_id::text {_OPEN_CONTACTS} AND a.conversation_id = ANY(%s::uuid[])".encode(),  # nosec B608 - constants only
            (conversation_ids,),
        )
        return {row[0] for row in rows}

    def known(self, keys: set[ClientKey]) -> Known:
        """See `Statements.known`."""
        rows = self._cursor.execute(
            "SELECT m.conversation_id::text, m.user_id::text, m.client_id, m.id::text, m.seq, m.inserted_at, "
            "m.fingerprint FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS wanted (c, u, k) "
            "JOIN messages m ON m.conversation_id = wanted.c AND m.user_id = wanted.u AND m.client_id = wanted.k",
            arrays(keys),
        )
        return dict(_known(row, row[5].astimezone(UTC)) for row in rows)

    def stored(self, ids: Collection[str]) -> dict[str, KnownMessage]:
        """See `Statements.stored`."""
        rows = self._cursor.execute(
            "SELECT id::text, seq, inserted_at, fingerprint FROM messages WHERE id = ANY(%s::uuid[])", (list(ids),)
        )
        return {row[0]: KnownMessage(row[0], row[1], row[2].astimezone(UTC), row[3]) for row in rows}

    def replies(self, replies: set[Reply]) -> set[Reply]:
        """See `Statements.replies`."""
        rows = self._cursor.execute(
            "SELECT p.conversation_id::text, p.user_id::text, m.id::text "
            "FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS wanted (c, u, m) "
            "JOIN conversation_participants p ON p.conversation_id = wanted.c AND p.user_id = wanted.u "
            "JOIN messages m ON m.id = wanted.m AND m.conversation_id = wanted.c AND m.seq >= p.visible_from_seq",
            arrays(replies),
        )
        return {(row[0], row[1], row[2]) for row in rows}

    def attachments(self, keys: set[AttachmentKey]) -> dict[AttachmentKey, Attached]:
        """See `Statements.attachments`.

        The rows are locked, so that the sweep of abandoned uploads does not delete them before the commit.
        """
        rows = self._cursor.execute(
            "SELECT a.conversation_id::text, a.user_id::text, a.id::text, a.size, a.content_type, a.encrypted, "
            "a.width, a.height, a.thumbnail_bytes, a.duration_ms, a.sealed "
            "FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS wanted (c, u, a) "
            "JOIN attachments a ON a.id = wanted.a AND a.conversation_id = wanted.c AND a.user_id = wanted.u "
            "WHERE a.finished_at IS NOT NULL AND a.message_id IS NULL FOR UPDATE OF a",
            arrays(keys),
        )
        return dict(map(_attached, rows))

    def taken(self, message_ids: Collection[str]) -> dict[str, tuple[Attached, ...]]:
        """See `Statements.taken`."""
        rows = self._cursor.execute(
            "SELECT message_id::text, user_id::text, id::text, size, content_type, encrypted, width, height, "
            "thumbnail_bytes, duration_ms, sealed FROM attachments WHERE message_id = ANY(%s::uuid[]) "
            "ORDER BY position",
            (list(message_ids),),
        )
        return _taken(message_ids, rows)

    def insert(self, rows: list[NewRow], timestamp: datetime) -> None:
        """See `Statements.insert`."""
        parameters = ", ".join(f"%s::{kind}[]" for kind in _TYPES)
        self._cursor.execute(
            f"INSERT INTO messages ({_COLUMNS}) SELECT * FROM unnest({parameters})".encode(),  # noqa: S608 - constants only  # nosec B608
            arrays([_row(new, timestamp, timestamp) for new in rows]),
        )

    def attach(self, attached: list[tuple[str, int, str]]) -> None:
        """See `Statements.attach`."""
        self._cursor.execute(
            "UPDATE attachments SET message_id = wanted.m, position = wanted.p "
            "FROM unnest(%s::uuid[], %s::smallint[], %s::uuid[]) AS wanted (m, p, a) WHERE attachments.id = wanted.a",
            arrays(attached),
        )

    def move(self, heads: Mapping[str, int], timestamp: datetime) -> None:
        """See `Statements.move`."""
        self._cursor.execute(
            "UPDATE conversations SET last_seq = head.seq, updated_at = %s "
            "FROM unnest(%s::uuid[], %s::bigint[]) AS head (id, seq) WHERE conversations.id = head.id",
            (timestamp, list(heads), list(heads.values())),
        )
        self._cursor.execute(
            "UPDATE conversation_participants SET hidden_at = NULL "
            "WHERE hidden_at IS NOT NULL AND conversation_id = ANY(%s::uuid[])",
            (list(heads),),
        )


def _known(row: Any, inserted_at: datetime) -> tuple[ClientKey, KnownMessage]:
    return (row[0], row[1], row[2]), KnownMessage(row[3], row[4], inserted_at, bytes(row[6]))


def _attached(row: Any) -> tuple[AttachmentKey, Attached]:
    conversation_id, user_id, attachment_id, size, content_type, encrypted, width, height, small, duration, sealed = row
    return (conversation_id, user_id, attachment_id), Attached(
        attachment_id, size, content_type, bool(encrypted), width, height, small, duration, bytes(sealed)
    )


def _taken(message_ids: Iterable[str], rows: Iterable[Any]) -> dict[str, tuple[Attached, ...]]:
    taken: dict[str, tuple[Attached, ...]] = dict.fromkeys(message_ids, ())
    for row in rows:
        (message_id, _, _), attached = _attached(row)
        taken[message_id] += (attached,)
    return taken


def json_of(values: Iterable[str | tuple[str | None, ...]]) -> str:
    """Return values as a JSON array, the parameter of SQLite's `json_each`."""
    return json.dumps(list(values))


def arrays(values: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return rows as columns, the parameters of PostgreSQL's `unnest`."""
    return [list(column) for column in zip(*values, strict=True)]


def sqlite_time(timestamp: datetime) -> str:
    """Return a timestamp as SQLite stores it."""
    # The format in which SQLAlchemy stores a DateTime on SQLite: naive, in UTC.
    return timestamp.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _from_sqlite_time(stored: str) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)
