"""One batch of the journal: decides which messages are stored and assigns their `seq`, in one transaction.

Every check runs inside the transaction that stores the messages: membership of the sender, revocation of the device,
repeats of a client id. Nothing is cached, so nothing needs invalidation. The number of statements does not depend on
the size of the batch.
"""

from famichat.chat.journal.entry import Attached, ClientKey, Entry, JournalRefusal, KnownMessage, Stored
from famichat.chat.journal.statements import Head, PostgresStatements, SqliteStatements, Statements
from famichat.storage.base import now
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events

Outcome = Stored | JournalRefusal | StorageUnavailable


async def write_batch(database: Database, entries: list[Entry]) -> list[Outcome]:
    """Store the accepted messages of a batch in one commit.

    If the database rejects the batch as a whole, each message is written in a separate transaction, so that one bad
    message does not fail the others.

    Args:
        database: the database; the batch runs in its journal thread.
        entries: the messages, in the order in which they get their `seq`.

    Returns:
        one outcome per entry, in the same order.

    Raises:
        StorageUnavailable: the database cannot store anything now, or did not confirm the commit. In the latter case
            the messages may have been stored.
    """
    return await database.on_journal(lambda: _write(database, entries))


def _write(database: Database, entries: list[Entry]) -> list[Outcome]:
    try:
        return _write_once(database, entries)
    except database.refused as error:
        if len(entries) > 1:
            return [outcome for entry in entries for outcome in _write(database, [entry])]
        emit(events.StorageFailed(operation="journal", error_type=type(error).__name__))
        return [StorageUnavailable("journal")]


def _write_once(database: Database, entries: list[Entry]) -> list[Outcome]:
    with database.journal_transaction() as cursor:
        statements = SqliteStatements(cursor) if database.dialect == "sqlite" else PostgresStatements(cursor)
        batch = _Batch(statements, entries)
        outcomes = [batch.place(entry) for entry in entries]
        batch.store()
    return outcomes


class _Batch:
    """The state of one batch: rows read from the database, and rows to write."""

    def __init__(self, statements: Statements, entries: list[Entry]) -> None:
        self._statements = statements
        # Read the heads first: this locks the conversations. Membership, replies and client ids that are read after it
        # cannot change until the commit. In any other order, a member removed in between could still send.
        self._heads = statements.heads(sorted({entry.conversation_id for entry in entries}))
        self._senders = statements.senders({(e.conversation_id, e.user_id, e.device_id) for e in entries})
        keys = {key for entry in entries if (key := entry.client_key) is not None}
        self._known = statements.known(keys) if keys else {}
        replies = {(e.conversation_id, e.user_id, e.reply_to_id) for e in entries if e.reply_to_id}
        self._replies = statements.replies(replies) if replies else set()
        attachment_keys = {(e.conversation_id, e.user_id, each) for e in entries for each in e.attachment_ids}
        self._attachments = statements.attachments(attachment_keys) if attachment_keys else {}
        self._moment = now()
        self._rows: list[tuple[Entry, int]] = []
        self._attached: list[tuple[str, int, str]] = []
        self._moved: dict[str, int] = {}

    def place(self, entry: Entry) -> Outcome:
        """Accept or refuse one message, and assign its `seq` if it is new."""
        head = self._heads.get(entry.conversation_id)
        sender = (entry.conversation_id, entry.user_id, entry.device_id)
        if head is None or entry.conversation_type not in {None, head.type} or sender not in self._senders:
            return JournalRefusal("not_found")
        if head.type in entry.required_types and not entry.encryption_flag:
            return JournalRefusal("encryption_required")
        key = entry.client_key
        if key is not None and (known := self._known.get(key)) is not None:
            if known.fingerprint != entry.fingerprint:
                return JournalRefusal("conflict")
            return Stored(known.id, known.seq, known.inserted_at, repeat=True, conversation_type=head.type)
        refusal = self._refuse(entry, head)
        return refusal or self._next(entry, head, key)

    def store(self) -> None:
        """Write the new rows and advance the heads of their conversations."""
        if self._rows:
            self._statements.insert(self._rows, self._moment)
            if self._attached:
                self._statements.attach(self._attached)
            self._statements.move(self._moved, self._moment)

    def _refuse(self, entry: Entry, head: Head) -> JournalRefusal | None:
        if entry.reply_to_id and (entry.conversation_id, entry.user_id, entry.reply_to_id) not in self._replies:
            return JournalRefusal("invalid_reply")
        if head.encryption_required and not entry.encryption_flag:
            return JournalRefusal("encryption_required")
        if entry.encryption_flag and head.type in entry.forbidden_types and not head.encryption_required:
            return JournalRefusal("encryption_forbidden")
        found = [self._attachments.get((entry.conversation_id, entry.user_id, each)) for each in entry.attachment_ids]
        if None in found:
            return JournalRefusal("invalid_attachment")
        if head.encryption_required and not all(each.encrypted for each in found if each):
            return JournalRefusal("encryption_required")
        return None

    def _next(self, entry: Entry, head: Head, key: ClientKey | None) -> Stored:
        seq = self._moved.get(entry.conversation_id, head.last_seq) + 1
        self._moved[entry.conversation_id] = seq
        self._rows.append((entry, seq))
        if key is not None and entry.fingerprint is not None:
            self._known[key] = KnownMessage(entry.id, seq, self._moment, entry.fingerprint)
        attachments = self._take(entry)
        return Stored(entry.id, seq, self._moment, repeat=False, conversation_type=head.type, attachments=attachments)

    def _take(self, entry: Entry) -> tuple[Attached, ...]:
        """Take the attachments of a message, so that no later message of the batch can claim the same ones."""
        self._attached += [(entry.id, position, each) for position, each in enumerate(entry.attachment_ids)]
        keys = [(entry.conversation_id, entry.user_id, each) for each in entry.attachment_ids]
        return tuple(self._attachments.pop(key) for key in keys)
