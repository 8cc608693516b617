"""How changes to messages are written: in the journal's thread, all that wait at that moment in one commit.

So they are announced in the order of their numbers, and what somebody does who is put out comes before that or not at
all: removals run in the same thread.
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
from famichat.storage.database import Database
from famichat.storage.group_commit import GroupCommit
from famichat.telemetry import emit, events


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """Who wants to change which message, from which device, and how.

    `conversation_type` is the one under which that person knows the conversation, where one was said.
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
    """A message as it is after what was asked.

    Attributes:
        asked: what that was.
        conversation_type: where.
        view: the message.
        news: that it was not so before.
        gone: the ids of attachments that went with a deletion; their files are still to be removed.
    """

    asked: ChangeRequest
    conversation_type: ConversationType
    view: MessageView
    news: bool
    gone: tuple[str, ...] = ()


class ChangeWriter:
    """Writes changes down.

    Args:
        database: where they go.
        ground: what they stand on.
    """

    def __init__(self, database: Database, ground: ChangeServices) -> None:
        self._database = database
        self._ground = ground
        self._line: GroupCommit[ChangeRequest, ChangeResult] = GroupCommit("changes", self._write)

    def make(self, asked: ChangeRequest, announce: Callable[[ChangeResult], None]) -> Awaitable[ChangeResult]:
        """Put a change in line, at once; await what is returned to know that it is written.

        Args:
            asked: what somebody wants.
            announce: called after the commit, in the order of the changes, if it changed anything.

        Raises:
            StorageUnavailable: too many wait, at once; or, when awaited, nobody knows that it was written: ask again.
            NotFound: when awaited: the person is in no such conversation, or can see no such message, or the device
                is signed out.
            ChatError: when awaited; see the `make` of each change.
        """
        return self._line.append(asked, lambda changed: announce(changed) if changed.news else None)

    async def close(self) -> None:
        """Write everything that waits, then return."""
        await self._line.close()

    async def _write(self, batch: list[ChangeRequest]) -> list[ChangeResult | Exception]:
        outcomes = await self._database.between_batches(partial(_write_all, batch, self._ground))
        for each in outcomes:
            if isinstance(each, ChangeResult) and each.news:
                emit(_told(each))
        return outcomes


def _write_all(batch: list[ChangeRequest], ground: ChangeServices, session: Session) -> list[ChangeResult | Exception]:
    return [_write_one(session, asked, ground) for asked in batch]


def _write_one(session: Session, asked: ChangeRequest, ground: ChangeServices) -> ChangeResult | Exception:
    try:
        return make_change(session, asked, ground)
    except ChatError as refusal:
        return refusal


def make_change(session: Session, asked: ChangeRequest, ground: ChangeServices) -> ChangeResult:
    """Make one change, if it is one; nothing is written when it is refused.

    Raises:
        NotFound: the person is in no such conversation, or can see no such message, or the device is signed out.
        ChatError: see the `make` of each change.
    """
    if not is_signed_in(session, asked.user_id, asked.device_id):
        raise NotFound
    access = conversation_for(session, asked.user_id, asked.conversation_id, asked.conversation_type)
    message = visible_message(session, access, asked.message_id)
    news = asked.change.make(session, Actor(access, asked.device_id), message, ground)
    if news:
        number(session, message)
    [view] = message_views(session, [message], ground.vault)
    deleted = news and isinstance(asked.change, Deletion)
    gone = tuple(each.id for each in message.attachments) if deleted else ()
    return ChangeResult(asked, access.conversation.type, view, news, gone)


def _told(changed: ChangeResult) -> events.Event:
    asked, kind = changed.asked, changed.conversation_type
    seconds = time.perf_counter() - asked.received_at
    match asked.change:
        case Edit(draft):
            return events.MessageEdited(
                conversation_type=kind,
                conversation_id=asked.conversation_id,
                user_id=asked.user_id,
                body_bytes=len(draft.body.encode()),
                duration_seconds=seconds,
            )
        case Deletion():
            return events.MessageDeleted(
                conversation_type=kind,
                conversation_id=asked.conversation_id,
                user_id=asked.user_id,
                own=changed.view["user_id"] == asked.user_id,
                duration_seconds=seconds,
            )
        case React(sign):
            return events.MessageReacted(
                conversation_type=kind,
                conversation_id=asked.conversation_id,
                user_id=asked.user_id,
                taken_back=sign is None,
                duration_seconds=seconds,
            )
