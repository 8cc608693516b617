"""Delivers new and changed messages to the clients of this node, in order and without gaps, whichever node stored them.

A message that this node has stored is delivered without a read, if it is the next one. Other nodes only announce
positions. If a message before the announced position is missing here, it is read from the database, for all topics and
clients together. The read always finds it: the journal assigns positions under a lock, so message n is committed before
message n + 1 can be stored.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from famichat.actions.events.payloads import Head
from famichat.actions.events.topics import ConversationTopic
from famichat.chat.messages.after_positions import Following, Position, after_positions
from famichat.chat.messages.schema import MessageView
from famichat.realtime.pubsub import PubSub
from famichat.storage.crypto.vault import Vault
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.halving import in_halves
from famichat.telemetry.crash import report_crash

NEW, UPDATED = "new_msg", "message_updated"

_ADVANCED = "advanced"
_TASK: Final = "topic feeds"
_MAX_READY = 1000
_MAX_TOPICS = 100
_RETRY_SECONDS = 0.5


_START: Final = Position(0, 0)


@dataclass(slots=True)
class _Feed:
    """The delivered and the known positions of one topic.

    Attributes:
        first: the position that the first join has read; None until then.
        delivered: the position up to which everything was delivered.
        seq: the highest known message.
        change: the highest known change.
        messages: messages that this node stored and that wait for earlier ones, by `seq`.
        changes: changed messages, in the same way, by `change`.
    """

    first: Position | None = None
    delivered: Position = _START
    seq: int = 0
    change: int = 0
    messages: dict[int, MessageView] = field(default_factory=dict)
    changes: dict[int, MessageView] = field(default_factory=dict)

    def is_behind(self) -> bool:
        """Return whether something exists that was not delivered."""
        return self.seq > self.delivered.seq or self.change > self.delivered.change


class TopicFeeds:
    """The feeds of all conversations that have subscribers on this node.

    Args:
        database: has the messages that other nodes stored.
        vault: opens their bodies.
        pubsub: delivers to clients, and exchanges positions with other nodes.
    """

    def __init__(self, database: Database, vault: Vault, pubsub: PubSub) -> None:
        self._database = database
        self._vault = vault
        self._pubsub = pubsub
        self._feeds: dict[str, _Feed] = {}
        self._behind: dict[str, None] = {}
        self._wake = asyncio.Event()
        pubsub.watch_topics(self._on_first, self._on_last)
        pubsub.handle(_ADVANCED, self._on_advanced)

    def joined(self, topic: str, seq: int, change: int) -> bool:
        """Start to deliver after the position that a join has read, while its channel holds back new messages.

        Args:
            topic: the topic; its channel has subscribed to it before the read.
            seq: the newest message that the join has read.
            change: the newest change that the join has read.

        Returns:
            False if another join, which was under way at the same time, has read more, and the feed delivers only what
            follows: then this one must read again.
        """
        feed = self._feeds.get(topic)
        if feed is None:
            return True
        if feed.first is None:
            feed.first = feed.delivered = Position(seq, change)
            self._advance(topic, feed)
        return seq >= feed.first.seq and change >= feed.first.change

    def stored(self, topic: ConversationTopic, view: MessageView) -> int:
        """Deliver a message that this node has stored, and announce its position to the other nodes.

        Returns:
            the bytes of the encoded frame; 0 if nothing was delivered yet.
        """
        name, seq = str(topic), view["seq"]
        self._pubsub.publish(_ADVANCED, {"topic": name, "seq": seq}, (name, "seq"))
        feed = self._feeds.get(name)
        if feed is None or seq <= feed.delivered.seq:
            return 0
        feed.messages[seq] = view
        feed.seq = max(feed.seq, seq)
        return self._advance(name, feed)

    def changed(self, topic: ConversationTopic, view: MessageView) -> int:
        """Deliver a message that this node has changed, as `stored` delivers a new one."""
        name, change = str(topic), view["change"]
        self._pubsub.publish(_ADVANCED, {"topic": name, "change": change}, (name, "change"))
        feed = self._feeds.get(name)
        if feed is None or change <= feed.delivered.change:
            return 0
        feed.changes[change] = view
        feed.change = max(feed.change, change)
        return self._advance(name, feed)

    def compare(self, topic: ConversationTopic, head: Head) -> bool:
        """Deliver all missing messages up to the positions in the database. Returns whether any is missing."""
        feed = self._feeds.get(str(topic))
        if feed is None or feed.first is None:
            return False
        self._raise(str(topic), feed, head["last_seq"], head["last_change"])
        return feed.is_behind()

    async def run(self) -> None:
        """Read and deliver missing messages, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting = list(self._behind)
            for start in range(0, len(waiting), _MAX_TOPICS):
                if not await self._catch_up(waiting[start : start + _MAX_TOPICS]):
                    self._wake.set()
                    await asyncio.sleep(_RETRY_SECONDS)

    # Local subscribers

    def _on_first(self, topic: str) -> None:
        if topic.startswith("message:"):
            self._feeds[topic] = _Feed()

    def _on_last(self, topic: str) -> None:
        self._feeds.pop(topic, None)
        self._behind.pop(topic, None)

    # Positions

    def _on_advanced(self, message: dict[str, Any]) -> None:
        feed = self._feeds.get(message["topic"])
        if feed is not None:
            self._raise(message["topic"], feed, message.get("seq", 0), message.get("change", 0))

    def _raise(self, topic: str, feed: _Feed, seq: int, change: int) -> None:
        feed.seq, feed.change = max(feed.seq, seq), max(feed.change, change)
        self._advance(topic, feed)

    def _advance(self, topic: str, feed: _Feed) -> int:
        """Deliver the next messages that are here; mark the topic to be read if others are missing.

        Returns:
            the bytes of the last frame.
        """
        if feed.first is None or not feed.is_behind():
            return 0
        size = self._deliver_ready(topic, feed)
        if feed.is_behind() and topic in self._feeds:
            self._behind[topic] = None
            self._wake.set()
        return size

    def _deliver_ready(self, topic: str, feed: _Feed) -> int:
        size = 0
        while (view := feed.messages.pop(feed.delivered.seq + 1, None)) is not None:
            feed.delivered = Position(view["seq"], feed.delivered.change)
            size = self._pubsub.broadcast_here(topic, NEW, view)
        while (view := feed.changes.get(feed.delivered.change + 1)) is not None:
            if view["seq"] > feed.delivered.seq:
                break
            feed.delivered = Position(feed.delivered.seq, view["change"])
            size = self._pubsub.broadcast_here(topic, UPDATED, view)
        _forget(feed.messages, feed.delivered.seq)
        _forget(feed.changes, feed.delivered.change)
        return size

    # Reading

    async def _catch_up(self, topics: Sequence[str]) -> bool:
        """Read and deliver what these topics lack. Returns False if the database did not answer."""
        feeds = [(topic, feed) for topic in topics if (feed := self._feeds.get(topic)) is not None]
        for topic in topics:
            self._behind.pop(topic, None)
        answered = True
        async for part in in_halves(feeds, self._read):
            if isinstance(part.result, StorageUnavailable):  # the database has reported it
                answered = False
                self._behind |= {topic: None for topic, feed in part.items if self._feeds.get(topic) is feed}
            elif isinstance(part.result, Exception):
                report_crash(_TASK, part.result)
            else:
                for topic, feed in part.items:
                    if self._feeds.get(topic) is feed:
                        self._deliver_read(topic, feed, part.result[topic])
        return answered

    async def _read(self, feeds: Sequence[tuple[str, _Feed]]) -> dict[str, "_Read"]:
        before = {topic: (feed.delivered, Position(feed.seq, feed.change)) for topic, feed in feeds}
        ids = {topic: ConversationTopic.parse(topic).conversation_id for topic in before}
        positions = {ids[topic]: delivered for topic, (delivered, _) in before.items()}
        found = await self._database.read(partial(after_positions, positions=positions, vault=self._vault))
        return {topic: _Read(delivered, known, found[ids[topic]]) for topic, (delivered, known) in before.items()}

    def _deliver_read(self, topic: str, feed: _Feed, read: "_Read") -> None:
        """Deliver the messages that were read, unless this node has delivered them meanwhile, and those that follow."""
        if feed.delivered.seq >= read.after.seq and feed.delivered.change >= read.after.change:
            for view in read.found.messages:
                self._deliver(topic, feed, view)
            if not read.found.has_more:  # known positions without a message are damaged
                feed.delivered = Position(max(feed.delivered.seq, read.known.seq), feed.delivered.change)
            self._deliver_ready(topic, feed)
            if self._update(topic, feed, read.found.changes) and not read.found.has_more:
                # A message that changed twice is found once, with its last change.
                feed.delivered = Position(feed.delivered.seq, max(feed.delivered.change, read.known.change))
        self._advance(topic, feed)

    def _deliver(self, topic: str, feed: _Feed, view: MessageView) -> None:
        if view["seq"] > feed.delivered.seq:
            feed.delivered = Position(view["seq"], feed.delivered.change)
            self._pubsub.broadcast_here(topic, NEW, view)

    def _update(self, topic: str, feed: _Feed, changes: Sequence[MessageView]) -> bool:
        """Deliver changes of messages that were delivered. Returns False if one has to wait for its message."""
        for view in changes:
            if view["seq"] > feed.delivered.seq:
                feed.seq = max(feed.seq, view["seq"])
                return False
            if view["change"] > feed.delivered.change:
                feed.delivered = Position(feed.delivered.seq, view["change"])
                self._pubsub.broadcast_here(topic, UPDATED, view)
        return True


@dataclass(frozen=True, slots=True)
class _Read:
    """The result of a read after a position, and the position that was known before the read."""

    after: Position
    known: Position
    found: Following


def _forget(views: dict[int, MessageView], up_to: int) -> None:
    """Forget the views up to a position, and all if they are too many: then they are read."""
    for position in [each for each in views if each <= up_to]:
        del views[position]
    if len(views) > _MAX_READY:
        views.clear()
