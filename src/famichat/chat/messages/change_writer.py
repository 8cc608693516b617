"""Writes changes of messages, with group commit, in the journal's thread.

The thread writes one batch at a time, so changes are announced in the order of their positions. Removals of members
run in the same thread: a change by a removed member is either announced before the removal or refused.

The conversations are locked before anything is read, as in a batch of messages. So a change never loses a race against
the messages that another node writes. A change also locks its message, whose body a key rotation may seal again.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.orm import Session

from famichat.accounts.device import is_signed_in
from famichat.chat.access import conversation_for
from famichat.chat.errors import ChatError, NotFound
from famichat.chat.messages.change import Actor, Change, ChangeServices, Deletion, Edit, React, number
from famichat.chat.messages.page import visible_message
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import message_views
from famichat.chat.records.conversation import ConversationType
from famichat.storage.base import is_id
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.group_commit import GroupCommit
from famichat.telemetry import emit, events

MAX_UNCERTAIN = 10_000
"""How many messages with an unannounced change the writer remembers; the oldest is forgotten first."""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A request to change a message.

    Attributes:
        user_id: the acting user.
        device_id: the device of that user.
        conversation_id: the conversation.
        conversation_type: the type that the client expects; None to accept any.
        message_id: the message.
        change: the change.
        received_at: when the request arrived, by `time.perf_counter`, in seconds.
    """

    user_id: str
    device_id: str
    conversation_id: str
    conversation_type: ConversationType | None
    message_id: str
    change: Change
    received_at: float = field(default_factory=time.perf_counter, compare=False)


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The result of a change request.

    Attributes:
        request: the request that was made.
        conversation_type: the type of the conversation.
        view: the JSON of the message after the change.
        changed: whether the message changed; if False, it is not announced.
        deleted_attachments: the ids of attachments whose rows were deleted. The caller deletes the files after the
            commit.
    """

    request: ChangeRequest
    conversation_type: ConversationType
    view: MessageView
    changed: bool
    deleted_attachments: tuple[str, ...] = ()


class ChangeWriter:
    """Queues and writes changes.

    Args:
        database: stores the changes.
        ground: the dependencies of changes.
    """

    def __init__(self, database: Database, ground: ChangeServices) -> None:
        self._database = database
        self._ground = ground
        self._queue: GroupCommit[ChangeRequest, ChangeResult] = GroupCommit("changes", self._write)
        self._uncertain: dict[str, None] = {}

    def make(self, request: ChangeRequest, announce: Callable[[ChangeResult], None]) -> Awaitable[ChangeResult]:
        """Queue a change, synchronously; await the result to know that it is written.

        Args:
            request: the request that was made.
            announce: called in the event loop after the commit, in the order of the changes, if the message changed;
                also if it is unchanged now, but may have changed with a commit whose reply was lost.

        Raises:
            StorageUnavailable: the queue is full; or, when awaited, it is unknown whether the change was written:
                repeat the request.
            NotFound: when awaited: the user is not a member of such a conversation, may not see such a message, or the
                device is signed out.
            ChatError: when awaited; see the `make` method of each change.
        """
        return self._queue.append(request, partial(self._on_written, announce))

    async def close(self) -> None:
        """Write everything queued, then return."""
        await self._queue.close()

    def _on_written(self, announce: Callable[[ChangeResult], None], result: ChangeResult) -> None:
        message_id = result.request.message_id
        if result.changed or message_id in self._uncertain:
            self._uncertain.pop(message_id, None)
            announce(result)

    async def _write(self, batch: list[ChangeRequest]) -> list[ChangeResult | Exception]:
        try:
            lock = {request.conversation_id for request in batch if is_id(request.conversation_id)}
            outcomes = await self._database.between_batches(partial(_write_all, batch, self._ground), lock)
        except StorageUnavailable:
            self._uncertain |= dict.fromkeys(request.message_id for request in batch)
            for forgotten in list(self._uncertain)[:-MAX_UNCERTAIN]:
                del self._uncertain[forgotten]
            raise
        for each in outcomes:
            if isinstance(each, ChangeResult) and each.changed:
                emit(_event(each))
        return outcomes


def _write_all(batch: list[ChangeRequest], ground: ChangeServices, session: Session) -> list[ChangeResult | Exception]:
    return [_write_one(session, request, ground) for request in batch]


def _write_one(session: Session, request: ChangeRequest, ground: ChangeServices) -> ChangeResult | Exception:
    try:
        return make_change(session, request, ground)
    except ChatError as refusal:
        return refusal


def make_change(session: Session, request: ChangeRequest, ground: ChangeServices) -> ChangeResult:
    """Make one change. A refused change writes nothing.

    Access and sign-in are checked here, in the writing transaction: since the request was queued, the user may have
    been removed or the device signed out.

    Raises:
        NotFound: the user is not a member of such a conversation, may not see such a message, or the device is signed
            out.
        ChatError: see the `make` method of each change.
    """
    if not is_signed_in(session, request.user_id, request.device_id):
        raise NotFound
    access = conversation_for(session, request.user_id, request.conversation_id, request.conversation_type)
    message = visible_message(session, access, request.message_id, lock=True)
    changed = request.change.make(session, Actor(access, request.device_id), message, ground)
    if changed:
        number(session, message)
    [view] = message_views(session, [message], ground.vault)
    deleted = changed and isinstance(request.change, Deletion)
    deleted_attachments = tuple(each.id for each in message.attachments) if deleted else ()
    return ChangeResult(request, access.conversation.type, view, changed, deleted_attachments)


def _event(result: ChangeResult) -> events.Event:
    request, kind = result.request, result.conversation_type
    seconds = time.perf_counter() - request.received_at
    match request.change:
        case Edit(draft):
            return events.MessageEdited(
                conversation_type=kind,
                conversation_id=request.conversation_id,
                user_id=request.user_id,
                body_bytes=len(draft.body.encode()),
                duration_seconds=seconds,
            )
        case Deletion():
            return events.MessageDeleted(
                conversation_type=kind,
                conversation_id=request.conversation_id,
                user_id=request.user_id,
                own=result.view["user_id"] == request.user_id,
                duration_seconds=seconds,
            )
        case React(reaction):
            return events.MessageReacted(
                conversation_type=kind,
                conversation_id=request.conversation_id,
                user_id=request.user_id,
                taken_back=reaction is None,
                duration_seconds=seconds,
            )
