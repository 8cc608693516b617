"""One batch of receipts: decides which acknowledgements are stored, in one transaction.

Every check runs inside the transaction that stores the positions: membership, sign-in of the device, privacy settings.
The number of statements does not depend on the size of the batch.
"""

import time
from dataclasses import dataclass, field
from typing import Any, cast

from famichat.accounts.device import DeviceKind
from famichat.chat.access import is_visible
from famichat.chat.errors import ChatError, InvalidMessage, NotFound
from famichat.chat.journal.receipt_statements import (
    PostgresReceiptStatements,
    Reader,
    Reading,
    ReceiptStatements,
    SqliteReceiptStatements,
)
from famichat.chat.messages.receipt import Status
from famichat.chat.messages.schema import DeviceStatus
from famichat.chat.records.conversation import ConversationType
from famichat.storage.base import is_id, now
from famichat.storage.database import Database


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A device's acknowledgement of all messages up to one, given by `seq` or by `message_id`.

    `attended` tells whether the user is looking at the app, so that the device needs no notification. `received_at` is
    the time of arrival, by `time.perf_counter`, in seconds.
    """

    user_id: str
    device_id: str
    conversation_type: ConversationType
    conversation_id: str
    seq: int | None
    message_id: str | None
    status: Status
    attended: bool = True
    received_at: float = field(default_factory=time.perf_counter, compare=False)


@dataclass(frozen=True, slots=True)
class AckResult:
    """The result of an acknowledgement.

    Attributes:
        request: the acknowledgement.
        device_kind: the kind that the device has declared, if any.
        seq: the acknowledged position.
        moved: whether the position of the device advanced.
        for_others: the status to announce to the other members. If the user has turned read receipts off, a read is
            announced as delivered, if that position advanced, or not at all.
    """

    request: Acknowledgement
    device_kind: DeviceKind | None
    seq: int
    moved: bool
    for_others: Status | None

    def view(self, status: Status) -> DeviceStatus:
        """Build the payload of `message_status`, without the conversation."""
        return {
            "user_id": self.request.user_id,
            "device_id": self.request.device_id,
            "device_kind": self.device_kind,
            "status": status,
            "seq": self.seq,
        }


async def write_receipts(database: Database, requests: list[Acknowledgement]) -> list[AckResult | Exception]:
    """Store acknowledgements in one commit, which messages may share; repeating it is safe.

    Args:
        database: the database; the batch runs in its journal thread.
        requests: the acknowledgements, in the order of their arrival.

    Returns:
        one result or `ChatError` per request, in the same order.

    Raises:
        StorageUnavailable: the database cannot store the batch, or did not confirm the commit.
    """

    def write(cursor: Any) -> list[AckResult | Exception]:
        statements: ReceiptStatements = (
            SqliteReceiptStatements(cursor) if database.dialect == "sqlite" else PostgresReceiptStatements(cursor)
        )
        batch = _Batch(statements, requests)
        results = [batch.place(request) for request in requests]
        batch.store()
        return results

    conversation_ids = {request.conversation_id for request in requests if is_id(request.conversation_id)}
    return await database.shared_commit.run("receipts", write, conversation_ids)


class _Batch:
    """The state of one batch: the readings as they are after the requests placed so far."""

    def __init__(self, statements: ReceiptStatements, requests: list[Acknowledgement]) -> None:
        self._statements = statements
        readers = {_reader(request) for request in requests if is_id(request.conversation_id)}
        self._readings = statements.readings(readers) if readers else {}
        message_ids = {request.message_id for request in requests if request.message_id and is_id(request.message_id)}
        self._messages = statements.messages(message_ids) if message_ids else {}
        self._changed: dict[Reader, Reading] = {}

    def place(self, request: Acknowledgement) -> AckResult | Exception:
        """Advance the positions of one device, or refuse the request."""
        reader = _reader(request)
        reading = self._readings.get(reader)
        if reading is None or reading.conversation_type != request.conversation_type:
            return NotFound()
        seq = self._seq(request, reading)
        if isinstance(seq, ChatError):
            return seq
        received, read = seq > reading.delivered_seq, request.status == "read" and seq > reading.read_seq
        if received or read or (request.attended and seq > reading.attended_seq):
            reading.delivered_seq = max(reading.delivered_seq, seq)
            reading.read_seq = seq if read else reading.read_seq
            reading.attended_seq = max(reading.attended_seq, seq) if request.attended else reading.attended_seq
            self._changed[reader] = reading
        kind = cast("DeviceKind | None", reading.device_kind)  # a constraint of the column
        for_others: Status | None = request.status
        if request.status == "read" and not reading.read_receipts:
            # Only an advance of the public position may be announced, or the others could infer the read.
            for_others = "delivered" if received else None
        return AckResult(request, kind, seq, received or read, for_others)

    def store(self) -> None:
        """Write the positions that changed."""
        if self._changed:
            self._statements.write(self._changed.items(), now())

    def _seq(self, request: Acknowledgement, reading: Reading) -> int | ChatError:
        if request.message_id is None:
            if request.seq is None or not 1 <= request.seq <= reading.last_seq:
                return InvalidMessage(field="seq")
            return request.seq
        conversation_id, seq = self._messages.get(request.message_id, ("", 0))
        if conversation_id != request.conversation_id or not is_visible(seq, reading.visible_from_seq):
            return NotFound()
        return seq


def _reader(request: Acknowledgement) -> Reader:
    return request.conversation_id, request.user_id, request.device_id
