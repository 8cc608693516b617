"""Tells users about their conversations shortly after they change: the unread count, and the newest message.

Both are sent once per conversation and interval, however many messages arrive meanwhile. Other nodes receive
the ids of the users, and read both themselves.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.actions.events.payloads import LastMessage, UnreadCount
from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.topics import user_topic
from famichat.chat.access import is_visible
from famichat.chat.conversations.summary import unread_counts
from famichat.chat.messages.after_positions import messages_at
from famichat.chat.messages.schema import MessageView
from famichat.chat.records.conversation import Conversation, ConversationType
from famichat.chat.records.participant import Participant
from famichat.realtime.pubsub import Announcement, PubSub
from famichat.storage.crypto.vault import Vault
from famichat.storage.database import Database
from famichat.storage.halving import without_failures

DELAY_SECONDS = 0.1
_UNREAD: Final = "unread_changed"
_NEWEST: Final = "newest_changed"
LAST_MESSAGE = "last_message"
"""An optional event: only clients that support it receive it; see `PubSub.broadcast`."""


@dataclass(slots=True)
class _Change:
    """What changed in a conversation.

    Attributes:
        readers: the only users whose unread count changed; None for all members.
        message: the newest message that was sent or changed.
        viewers: users for whom another node announced that the newest message is new or has changed.
    """

    readers: set[str] | None = field(default_factory=set)
    message: MessageView | None = None
    viewers: set[str] = field(default_factory=set)

    def add_message(self, message: MessageView) -> None:
        """Keep the newest message in its newest state."""
        known = self.message
        if known is None or (known["seq"], known["change"]) < (message["seq"], message["change"]):
            self.message = message

    def concerns(self, user_id: str) -> bool:
        """Return whether the unread count of this user changed."""
        return self.readers is None or user_id in self.readers


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a changed conversation, with the columns that the events need."""

    conversation_id: str
    user_id: str
    visible_from_seq: int
    last_seq: int
    type: ConversationType


@dataclass(frozen=True, slots=True)
class _News:
    """What to tell a member about a conversation; None for what only clients of other nodes can hear."""

    member: _Member
    unread: UnreadCount | None
    last_message: LastMessage | None


@dataclass(frozen=True, slots=True)
class _Found:
    """The result of a read: the news for users of this node, and the announcements to other nodes."""

    news: list[_News]
    announcements: list[Announcement]


class UnreadCounts:
    """Pushes `unread` and `last_message` to the devices of the members of a conversation that changed.

    Only devices that joined their `user:` topic receive them.

    Args:
        database: the source of the counts; clients do not count.
        vault: opens the newest messages that other nodes have stored.
        pubsub: delivers them, and exchanges announcements with the other nodes.
        removals: members who were removed a moment ago, and must not receive counts that were read before.
    """

    def __init__(self, database: Database, vault: Vault, pubsub: PubSub, removals: RecentRemovals) -> None:
        self._database = database
        self._vault = vault
        self._pubsub = pubsub
        self._removals = removals
        self._changed: dict[str, _Change] = {}
        self._announced: dict[str, _Change] = {}
        self._wake = asyncio.Event()
        pubsub.handle(_UNREAD, self._on_unread)
        pubsub.handle(_NEWEST, self._on_newest)

    def changed(
        self, conversation_id: str, reader_id: str | None = None, *, message: MessageView | None = None
    ) -> None:
        """Schedule the counts of a conversation to be published a moment later.

        Args:
            conversation_id: the conversation.
            reader_id: the only user whose count changed, because that user has read; None after a new message. What
                one user reads must not be visible to the others, not even as an unchanged count.
            message: the new message.
        """
        change = self._changed.setdefault(conversation_id, _Change())
        if reader_id is None:
            change.readers = None
        elif change.readers is not None:
            change.readers.add(reader_id)
        if message is not None:
            change.add_message(message)
        self._wake.set()

    def last_message_changed(self, message: MessageView) -> None:
        """Schedule a changed message to be published a moment later, if it is the newest of its conversation."""
        self._changed.setdefault(message["conversation_id"], _Change()).add_message(message)
        self._wake.set()

    async def run(self) -> None:
        """Push the counts of changed conversations, at most every 0.1 seconds, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(DELAY_SECONDS)
            self._wake.clear()
            changed, self._changed = self._changed, {}
            announced, self._announced = self._announced, {}
            await self._tell(changed, announces=self._pubsub.has_peers)
            await self._tell(announced, announces=False)

    def _on_unread(self, message: dict[str, Any]) -> None:
        if self._listens(message["user"]):
            change = self._announced.setdefault(message["conversation"], _Change())
            if change.readers is not None:
                change.readers.add(message["user"])
            self._wake.set()

    def _on_newest(self, message: dict[str, Any]) -> None:
        if self._listens(message["user"]):
            self._announced.setdefault(message["conversation"], _Change()).viewers.add(message["user"])
            self._wake.set()

    async def _tell(self, changed: Mapping[str, _Change], *, announces: bool) -> None:
        # What cannot be read now comes again with the next message and the next sign-in.
        read = partial(self._read, announces=announces)
        async for _, found in without_failures("unread counts", list(changed.items()), read):
            for news in found.news:
                self._tell_member(news)
            for announcement in found.announcements:
                self._pubsub.publish(*announcement)

    def _tell_member(self, news: _News) -> None:
        member, topic = news.member, user_topic(news.member.user_id)
        if (member.user_id, member.conversation_id) in self._removals:
            return
        if news.last_message is not None:
            self._pubsub.broadcast_here(topic, LAST_MESSAGE, news.last_message, optional=True)
        if news.unread is not None:
            self._pubsub.broadcast_here(topic, "unread", news.unread)

    async def _read(self, changed: Sequence[tuple[str, _Change]], *, announces: bool) -> _Found:
        return await self._database.read(partial(_find, dict(changed), self._listens, self._vault, announces=announces))

    def _listens(self, user_id: str) -> bool:
        return self._pubsub.has_subscribers_here(user_topic(user_id))


def _find(
    changed: Mapping[str, _Change], listens: Callable[[str], bool], vault: Vault, session: Session, *, announces: bool
) -> _Found:
    members = _members(session, changed, listens, everyone=announces)
    newest = _newest_messages(session, members, changed, vault)
    announcements = _announcements(members, changed) if announces else []
    return _Found(_news(session, [each for each in members if listens(each.user_id)], changed, newest), announcements)


def _announcements(members: Sequence[_Member], changed: Mapping[str, _Change]) -> list[Announcement]:
    found: list[Announcement] = []
    for member in members:
        change, pair = changed[member.conversation_id], (member.user_id, member.conversation_id)
        content = {"user": member.user_id, "conversation": member.conversation_id}
        if change.concerns(member.user_id):
            found.append((_UNREAD, content, pair))
        if _last_message(member, change.message) is not None:
            found.append((_NEWEST, content, pair))
    return found


def _newest_messages(
    session: Session, members: Sequence[_Member], changed: Mapping[str, _Change], vault: Vault
) -> dict[str, MessageView]:
    """Read the newest messages of the conversations for which another node announced them."""
    last = {member.conversation_id: member.last_seq for member in members if changed[member.conversation_id].viewers}
    if not last:
        return {}
    return {view["conversation_id"]: view for view in messages_at(session, last.items(), vault)}


def _members(
    session: Session, changed: Mapping[str, _Change], listens: Callable[[str], bool], *, everyone: bool
) -> list[_Member]:
    query = (
        select(
            Participant.conversation_id,
            Participant.user_id,
            Participant.visible_from_seq,
            Conversation.last_seq,
            Conversation.type,
        )
        .join(Conversation, Conversation.id == Participant.conversation_id)
        .where(Participant.conversation_id.in_(changed))
    )
    return [_Member(*row) for row in session.execute(query) if everyone or listens(row.user_id)]


def _news(
    session: Session, members: Sequence[_Member], changed: Mapping[str, _Change], newest: Mapping[str, MessageView]
) -> list[_News]:
    """Read what to tell members, with one query for all conversations."""
    counted = {each for each in members if changed[each.conversation_id].concerns(each.user_id)}
    keys = [(each.conversation_id, each.user_id) for each in counted]
    counts = unread_counts(session, keys) if keys else {}
    return [
        _News(
            each,
            _unread(each, counts) if each in counted else None,
            _last_message(each, _message(each, changed[each.conversation_id], newest)),
        )
        for each in members
    ]


def _message(member: _Member, change: _Change, newest: Mapping[str, MessageView]) -> MessageView | None:
    """Return the message that the member should see as the newest one; None if it is as before."""
    return newest.get(member.conversation_id) if member.user_id in change.viewers else change.message


def _unread(member: _Member, counts: Mapping[tuple[str, str], int]) -> UnreadCount:
    return {
        "conversation_id": member.conversation_id,
        "last_seq": member.last_seq,
        "unread": counts.get((member.conversation_id, member.user_id), 0),
    }


def _last_message(member: _Member, message: MessageView | None) -> LastMessage | None:
    """Return the event, unless a newer message is stored, whose event follows, or the member may not see it."""
    if message is None or message["seq"] < member.last_seq or not is_visible(message["seq"], member.visible_from_seq):
        return None
    return {"conversation_id": member.conversation_id, "type": member.type, "message": message}
