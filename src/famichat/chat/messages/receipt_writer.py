"""Writes acknowledgements, with group commit.

Every device of every member acknowledges every message, so they outnumber the messages: one commit each would be too
slow.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.page import seq_param
from famichat.chat.messages.receipt import Status
from famichat.chat.messages.receipt_batch import Acknowledgement, AckResult, write_receipts
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.group_commit import GroupCommit
from famichat.telemetry import emit, events

MAX_UNCERTAIN = 1000


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

    If the reply to a commit is lost, its positions may have advanced without an announcement. So these acknowledgements
    are remembered, and announced when they are written again: by the queue itself, or when their device repeats them.

    Args:
        database: stores the receipts.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._uncertain: dict[Acknowledgement, None] = {}
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
        try:
            outcomes = await write_receipts(self._database, batch)
        except StorageUnavailable:
            self._uncertain |= dict.fromkeys(batch)
            for forgotten in list(self._uncertain)[:-MAX_UNCERTAIN]:
                del self._uncertain[forgotten]
            raise
        written = [self._unannounced(each) if isinstance(each, AckResult) else each for each in outcomes]
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

    def _unannounced(self, written: AckResult) -> AckResult:
        if written.request not in self._uncertain:
            return written
        del self._uncertain[written.request]
        return replace(written, moved=True)
