"""Writes acknowledgements, with group commit.

Every device of every member acknowledges every message, so they outnumber the messages: one commit each would be too
slow.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from famichat.accounts.device import DeviceKind, kinds_of
from famichat.accounts.privacy import users_without_read_receipts
from famichat.chat.access import conversation_for
from famichat.chat.errors import ChatError, InvalidMessage
from famichat.chat.messages.history import seq_of
from famichat.chat.messages.page import seq_param
from famichat.chat.messages.receipt import Status, acknowledge
from famichat.chat.messages.schema import MessageStatus
from famichat.chat.records.conversation import ConversationType
from famichat.storage.database import Database
from famichat.storage.group_commit import GroupCommit
from famichat.telemetry import emit, events


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

    def view(self, status: Status) -> MessageStatus:
        """Build the payload of `message_status`."""
        return {
            "conversation_id": self.request.conversation_id,
            "user_id": self.request.user_id,
            "device_id": self.request.device_id,
            "device_kind": self.device_kind,
            "status": status,
            "seq": self.seq,
        }


def parse_status(payload: Mapping[str, Any]) -> tuple[int | None, str | None, Status]:
    """Parse a `message_ack` payload: a `seq` or a `message_id`, and a status, which defaults to `delivered`.

    Raises:
        InvalidMessage: a field is missing or malformed.
    """
    seq, message_id, status = seq_param(payload, "seq"), payload.get("message_id"), payload.get("status", "delivered")
    if status not in ("delivered", "read"):  # a tuple, not a set: the untrusted value may be unhashable
        raise InvalidMessage(field="status")
    if (seq is None) == (message_id is None):
        raise InvalidMessage(field="seq")
    if message_id is not None and not isinstance(message_id, str):
        raise InvalidMessage(field="message_id")
    return seq, message_id, status


class ReceiptWriter:
    """Queues and writes acknowledgements.

    Args:
        database: stores the receipts.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: GroupCommit[Acknowledgement, AckResult] = GroupCommit("receipts", self._write)

    def acknowledge(self, request: Acknowledgement, announce: Callable[[AckResult], None]) -> Awaitable[AckResult]:
        """Queue an acknowledgement, synchronously; await the result to know that it is written.

        Args:
            request: the acknowledgement.
            announce: called in the event loop after the commit, if the position advanced.

        Raises:
            StorageUnavailable: the queue is full; or, when awaited, the acknowledgement was not written.
            NotFound: when awaited: the user is not a member of such a conversation, or may not see the message.
            InvalidMessage: when awaited: there is no message at this position.
        """
        return self._queue.append(request, lambda written: announce(written) if written.moved else None)

    async def close(self) -> None:
        """Write everything queued, then return."""
        await self._queue.close()

    async def _write(self, batch: list[Acknowledgement]) -> list[AckResult | Exception]:
        written = await self._database.transaction(lambda session: _write_all(session, batch))
        for each in written:
            if isinstance(each, AckResult):
                emit(
                    events.MessageAcknowledged(
                        conversation_id=each.request.conversation_id,
                        user_id=each.request.user_id,
                        device_id=each.request.device_id,
                        status=each.request.status,
                        seq=each.seq,
                        moved=each.moved,
                        duration_seconds=time.perf_counter() - each.request.received_at,
                    )
                )
        return written


def _write_all(session: Session, batch: list[Acknowledgement]) -> list[AckResult | Exception]:
    discreet = users_without_read_receipts(session, {request.user_id for request in batch if request.status == "read"})
    kinds = kinds_of(session, (request.device_id for request in batch))
    return [
        _write_one(session, request, kinds.get(request.device_id), discreet=request.user_id in discreet)
        for request in batch
    ]


def _write_one(
    session: Session, request: Acknowledgement, kind: DeviceKind | None, *, discreet: bool
) -> AckResult | Exception:
    try:
        access = conversation_for(session, request.user_id, request.conversation_id, request.conversation_type)
        seq = request.seq if request.message_id is None else seq_of(session, access, request.message_id)
        if seq is None:
            raise InvalidMessage(field="seq")
        write = partial(acknowledge, session, access, request.device_id, seq, attended=request.attended)
        if not discreet or request.status == "delivered":
            moved = write(request.status).moved
            return AckResult(request, kind, seq, moved, request.status)
        # The user has turned read receipts off. Write the two positions one after the other, to know separately whether
        # the public one (delivered) advanced: only that may be announced, or the others could infer the read.
        received = write("delivered").moved
        read = write("read").moved
        return AckResult(request, kind, seq, read, "delivered" if received else None)
    except ChatError as refusal:
        return refusal
