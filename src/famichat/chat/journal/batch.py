"""One batch of the journal: decides which messages are stored and assigns their `seq`, in one transaction.

Every check runs inside the transaction that stores the messages: membership of the sender, contact with the recipient
of a direct message, revocation of the device, repeats of a client id. Nothing is cached, so nothing needs invalidation.
The number of statements does not depend on the size of the batch.
"""

import re
from collections.abc import Collection
from typing import Any

from famichat.chat.journal.entry import Attached, ClientKey, Entry, JournalRefusal, KnownMessage, Stored
from famichat.chat.journal.statements import (
    MLS_PROTOCOL,
    Head,
    NewRow,
    PostgresStatements,
    Roster,
    SqliteStatements,
    Statements,
)
from famichat.storage.base import now
from famichat.storage.database import Database

Outcome = Stored | JournalRefusal
_MLS_CLIENT_ID = re.compile("[0-9a-f]{32}")


async def write_batch(
    database: Database, entries: list[Entry], uncertain: Collection[str] = frozenset()
) -> list[Outcome]:
    """Store the accepted messages of a batch in one commit, which receipts may share.

    Args:
        database: the database; the batch runs in its journal thread.
        entries: the messages, in the order in which they get their `seq`.
        uncertain: the ids of messages that earlier calls may have stored, because it is unknown whether their commits
            succeeded. Of the entries, these are looked up first, and not stored twice.

    Returns:
        one outcome per entry, in the same order. A message that is found stored although its id is uncertain is no
        repeat, because it was never announced.

    Raises:
        StorageUnavailable: the database cannot store the batch, or did not confirm the commit. In the latter case the
            messages may have been stored.
    """

    def write(cursor: Any) -> list[Outcome]:
        statements = SqliteStatements(cursor) if database.dialect == "sqlite" else PostgresStatements(cursor)
        batch = _Batch(statements, entries, uncertain)
        outcomes = [batch.place(entry) for entry in entries]
        batch.store()
        return outcomes

    return await database.shared_commit.run("journal", write, {entry.conversation_id for entry in entries})


class _Batch:
    """The state of one batch: rows read from the database, and rows to write."""

    def __init__(self, statements: Statements, entries: list[Entry], uncertain: Collection[str]) -> None:
        self._statements = statements
        # Read the heads first: this locks the conversations. Membership, contact, replies and client ids that are read
        # after it cannot change until the commit. In any other order, a member removed in between could still send.
        self._heads = statements.heads(sorted({entry.conversation_id for entry in entries}))
        self._senders = statements.senders({(e.conversation_id, e.user_id, e.device_id) for e in entries})
        self._sent = {(conversation, user): sent for (conversation, user, _), sent in self._senders.items()}
        # Only an encrypted conversation can have an MLS group.
        encrypted = [id_ for id_, head in self._heads.items() if head.encryption_required]
        self._rosters = statements.rosters(encrypted) if encrypted else {}
        self._leaves = statements.leaves(list(self._rosters)) if self._rosters else set()
        direct = [id_ for id_, head in self._heads.items() if head.type == "direct"]
        self._open = statements.open_contacts(direct) if direct else set()
        keys = {key for entry in entries if (key := entry.client_key) is not None}
        self._known = statements.known(keys) if keys else {}
        retried = [entry.id for entry in entries if entry.id in uncertain]
        self._stored = statements.stored(retried) if retried else {}
        unannounced = self._stored.keys() | {known.id for known in self._known.values() if known.id in uncertain}
        self._unannounced = statements.taken(unannounced) if unannounced else {}
        replies = {(e.conversation_id, e.user_id, e.reply_to_id) for e in entries if e.reply_to_id}
        self._replies = statements.replies(replies) if replies else set()
        attachment_keys = {(e.conversation_id, e.user_id, each) for e in entries for each in e.attachment_ids}
        self._attachments = statements.attachments(attachment_keys) if attachment_keys else {}
        self._moment = now()
        self._rows: list[NewRow] = []
        self._attached: list[tuple[str, int, str]] = []
        self._moved: dict[str, int] = {}

    def place(self, entry: Entry) -> Outcome:
        """Accept or refuse one message, and assign its `seq` if it is new."""
        head = self._heads.get(entry.conversation_id)
        if head is None:
            return JournalRefusal("not_found")
        if (stored := self._stored.get(entry.id)) is not None:  # accepted earlier, whatever has changed since
            return self._found(stored, head)
        return self._refuse_sender(entry, head) or self._repeat(entry, head) or self._place_new(entry, head)

    def store(self) -> None:
        """Write the new rows and advance the heads of their conversations."""
        if self._rows:
            self._statements.insert(self._rows, self._moment)
            if self._attached:
                self._statements.attach(self._attached)
            self._statements.move(self._moved, self._moment)

    def _refuse_sender(self, entry: Entry, head: Head) -> JournalRefusal | None:
        sender = (entry.conversation_id, entry.user_id, entry.device_id)
        if entry.conversation_type not in {None, head.type} or sender not in self._senders:
            return JournalRefusal("not_found")
        if head.type in entry.required_types and not entry.encryption_flag:
            return JournalRefusal("encryption_required")
        return None

    def _repeat(self, entry: Entry, head: Head) -> Outcome | None:
        key = entry.client_key
        known = None if key is None else self._known.get(key)
        if known is None:
            return None
        return self._found(known, head) if known.fingerprint == entry.fingerprint else JournalRefusal("conflict")

    def _found(self, known: KnownMessage, head: Head) -> Stored:
        """Return the position of a stored message; the first time, an unannounced one is no repeat."""
        attachments = self._unannounced.pop(known.id, None)
        return Stored(
            known.id,
            known.seq,
            known.inserted_at,
            repeat=attachments is None,
            conversation_type=head.type,
            attachments=attachments or (),
        )

    def _place_new(self, entry: Entry, head: Head) -> Outcome:
        if head.type == "direct" and entry.conversation_id not in self._open:
            return JournalRefusal("contact_ended")
        return self._refuse(entry, head) or self._next(entry, head, entry.client_key)

    def _refuse(self, entry: Entry, head: Head) -> JournalRefusal | None:
        if entry.reply_to_id and (entry.conversation_id, entry.user_id, entry.reply_to_id) not in self._replies:
            return JournalRefusal("invalid_reply")
        if (refusal := self._refuse_encryption(entry, head)) is not None:
            return refusal
        found = [self._attachments.get((entry.conversation_id, entry.user_id, each)) for each in entry.attachment_ids]
        if None in found:
            return JournalRefusal("invalid_attachment")
        if head.encryption_required and not all(each.encrypted for each in found if each):
            return JournalRefusal("encryption_required")
        return None

    def _refuse_encryption(self, entry: Entry, head: Head) -> JournalRefusal | None:
        if head.encryption_required and not entry.encryption_flag:
            return JournalRefusal("encryption_required")
        if entry.encryption_flag and head.type in entry.forbidden_types and not head.encryption_required:
            return JournalRefusal("encryption_forbidden")
        roster = self._rosters.get(entry.conversation_id)
        if roster is None:
            return None
        # The signature of an encrypted message covers its client id.
        if entry.client_id is None or not _MLS_CLIENT_ID.fullmatch(entry.client_id):
            return JournalRefusal("invalid_client_id")
        if self._is_current(entry, roster):
            return None
        return JournalRefusal(
            "epoch_changed", generation=roster.generation, epoch=roster.epoch, needs_commit=roster.needs_commit
        )

    def _is_current(self, entry: Entry, roster: Roster) -> bool:
        """Return whether all members, and no others, can decrypt a message in the epoch that it names."""
        return (
            entry.protocol == MLS_PROTOCOL
            and entry.key_id == roster.key_id
            and (entry.conversation_id, entry.device_id) in self._leaves
            and not roster.needs_commit
        )

    def _next(self, entry: Entry, head: Head, key: ClientKey | None) -> Stored:
        seq = self._moved.get(entry.conversation_id, head.last_seq) + 1
        self._moved[entry.conversation_id] = seq
        sender = entry.conversation_id, entry.user_id
        self._sent[sender] += 1
        self._rows.append((entry, seq, self._sent[sender]))
        if key is not None and entry.fingerprint is not None:
            self._known[key] = KnownMessage(entry.id, seq, self._moment, entry.fingerprint)
        attachments = self._take(entry)
        return Stored(entry.id, seq, self._moment, repeat=False, conversation_type=head.type, attachments=attachments)

    def _take(self, entry: Entry) -> tuple[Attached, ...]:
        """Take the attachments of a message, so that no later message of the batch can claim the same ones."""
        self._attached += [(entry.id, position, each) for position, each in enumerate(entry.attachment_ids)]
        keys = [(entry.conversation_id, entry.user_id, each) for each in entry.attachment_ids]
        return tuple(self._attachments.pop(key) for key in keys)
