"""Who is here: which clients are on a topic, on all nodes, told to each of them as it changes.

    class RoomChannel(Channel):
        async def after_join(self):
            presence.track(self, self.socket.assigns.user_id, {"device": "phone"})
            self.push("presence_state", presence.list(self.topic))

        async def terminate(self, reason):
            presence.untrack(self)

Each node keeps what it tracks itself and a copy of what the others track. Changes travel as they happen, numbered; a
heartbeat carries the last number, and who missed one asks for everything. A node that falls silent has left.
"""

import asyncio
import itertools
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from famichat.realtime.channel import Channel
from famichat.realtime.pubsub import PubSub

Meta = dict[str, Any]
State = dict[str, dict[str, Any]]
"""By key, such as a user's id: `{"metas": [...]}`, one meta for each channel that is here under that key."""

Fetch = Callable[[str, State], State]
"""Adds fields beside `metas` to what is told about a topic, such as names."""

_CHANGE, _HEARTBEAT, _ASK, _ALL, _BYE = (f"presence_{kind}" for kind in ("change", "heartbeat", "ask", "all", "bye"))
_CHOICE = "presence_choice"


@dataclass(frozen=True, slots=True)
class PresenceEntry:
    """One client on one topic. `ref` names it for ever: clients add and remove by it alone."""

    topic: str
    key: str
    ref: str
    meta: Meta


Entries = Sequence[PresenceEntry]


@dataclass(slots=True)
class _Node:
    """What one node tracks, and how far we have followed it."""

    number: int = 0
    heard_at: float = field(default_factory=time.monotonic)
    topics: dict[str, dict[str, PresenceEntry]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, entry: PresenceEntry) -> None:
        self.topics[entry.topic][entry.ref] = entry

    def remove(self, entry: PresenceEntry) -> None:
        entries = self.topics.get(entry.topic, {})
        entries.pop(entry.ref, None)
        if not entries:
            self.topics.pop(entry.topic, None)

    def entries(self) -> Iterator[PresenceEntry]:
        return itertools.chain.from_iterable(topic.values() for topic in self.topics.values())


class Presence:
    """The presences of all topics.

    Args:
        pubsub: carries the changes, to clients and to other nodes.
        fetch: adds fields to what clients are told.
        heartbeat: seconds between two signs of life to the other nodes.
        expiry: seconds of silence after which a node counts as gone.
    """

    def __init__(
        self, pubsub: PubSub, *, fetch: Fetch | None = None, heartbeat: float = 2.5, expiry: float = 10.0
    ) -> None:
        self._pubsub = pubsub
        self._fetch = fetch or (lambda _topic, state: state)
        self._heartbeat = heartbeat
        self._expiry = expiry
        self._name = secrets.token_hex(6)
        self._refs = itertools.count(1)
        self._own = _Node()
        self._nodes: dict[str, _Node] = {}
        self._tracked: dict[Channel, dict[str, PresenceEntry]] = {}
        self._discreet: set[str] = set()
        pubsub.on(_CHANGE, self._heard_change)
        pubsub.on(_HEARTBEAT, self._heard_heartbeat)
        pubsub.on(_ASK, lambda note: self._tell_all() if note["of"] == self._name else None)
        pubsub.on(_ALL, self._heard_all)
        pubsub.on(_BYE, lambda note: self._forget(note["node"]))
        pubsub.on(_CHOICE, lambda note: self.choose_here(note["key"], discreet=note["discreet"]))

    async def run(self) -> None:
        """Exchange presences with the other nodes until cancelled, then tell them that this node leaves."""
        try:
            await self._beat()
        finally:
            self._tell(_BYE, {})

    # For channels

    def track(self, channel: Channel, key: str, meta: Meta) -> None:
        """Say that a channel's client is here, under this key; if it was already, this updates it."""
        self.update(channel, key, meta)

    def update(self, channel: Channel, key: str, meta: Meta) -> None:
        """Change what is told about a channel's client."""
        tracked = self._tracked.setdefault(channel, {})
        old = tracked.get(key)
        ref = f"{self._name}.{next(self._refs)}"
        told = {**meta, "phx_ref": ref} if old is None else {**meta, "phx_ref": ref, "phx_ref_prev": old.ref}
        tracked[key] = PresenceEntry(channel.topic, key, ref, told)
        if key not in self._discreet:
            self._changed_here([tracked[key]], [old] if old is not None else [])

    def untrack(self, channel: Channel) -> None:
        """Say that a channel's client is no longer here; does nothing if it was not."""
        gone = [entry for entry in self._tracked.pop(channel, {}).values() if entry.key not in self._discreet]
        if gone:
            self._changed_here([], gone)

    def choose(self, key: str, *, discreet: bool) -> None:
        """Tell nobody who is here under this key, or everybody again: at once, on all nodes, and from now on."""
        self.choose_here(key, discreet=discreet)
        self._tell(_CHOICE, {"key": key, "discreet": discreet})

    def choose_here(self, key: str, *, discreet: bool) -> None:
        """The same, on this node only."""
        if discreet == (key in self._discreet):
            return
        (self._discreet.add if discreet else self._discreet.discard)(key)
        concerned = [entries[key] for entries in self._tracked.values() if key in entries]
        if concerned:
            self._changed_here(*(([], concerned) if discreet else (concerned, [])))

    def list(self, topic: str) -> State:
        """Everybody on a topic, on all nodes: what to push as `presence_state`."""
        entries = [
            entry for node in (self._own, *self._nodes.values()) for entry in node.topics.get(topic, {}).values()
        ]
        return self._state(topic, entries)

    # What happens here

    def _changed_here(self, joins: Entries, leaves: Entries) -> None:
        self._own.number += 1
        self._apply(self._own, joins, leaves)
        self._tell(_CHANGE, {"number": self._own.number, "joins": _wire(joins), "leaves": _wire(leaves)})

    def _apply(self, node: _Node, joins: Entries, leaves: Entries) -> None:
        """Change what we know of a node, and tell the clients of this one."""
        for entry in leaves:
            node.remove(entry)
        for entry in joins:
            node.add(entry)
        for topic in dict.fromkeys(entry.topic for entry in (*joins, *leaves)):
            diff = {
                "joins": self._state(topic, [entry for entry in joins if entry.topic == topic]),
                "leaves": self._state(topic, [entry for entry in leaves if entry.topic == topic]),
            }
            self._pubsub.broadcast_here(topic, "presence_diff", diff)

    def _state(self, topic: str, entries: Entries) -> State:
        state: State = {}
        for entry in entries:
            state.setdefault(entry.key, {"metas": []})["metas"].append(entry.meta)
        return self._fetch(topic, state)

    # What happens on other nodes

    async def _beat(self) -> None:
        self._tell_all()
        while True:
            self._tell(_HEARTBEAT, {"number": self._own.number})
            silent_since = time.monotonic() - self._expiry
            for name, node in tuple(self._nodes.items()):
                if node.heard_at < silent_since:
                    self._forget(name)
            await asyncio.sleep(self._heartbeat)

    def _heard_change(self, note: dict[str, Any]) -> None:
        node = self._nodes.get(note["node"])
        if node is None or note["number"] != node.number + 1:
            self._ask(note["node"])
            return
        node.number, node.heard_at = note["number"], time.monotonic()
        self._apply(node, _entries(note["joins"]), _entries(note["leaves"]))

    def _heard_heartbeat(self, note: dict[str, Any]) -> None:
        node = self._nodes.get(note["node"])
        if node is None or node.number != note["number"]:
            self._ask(note["node"])
        if node is not None:
            node.heard_at = time.monotonic()

    def _heard_all(self, note: dict[str, Any]) -> None:
        known = note["node"] in self._nodes
        node = self._nodes.setdefault(note["node"], _Node())
        node.number, node.heard_at = note["number"], time.monotonic()
        told = {entry.ref: entry for entry in _entries(note["entries"])}
        had = {entry.ref: entry for entry in node.entries()}
        self._apply(
            node,
            [entry for ref, entry in told.items() if ref not in had],
            [entry for ref, entry in had.items() if ref not in told],
        )
        if not known:
            self._tell_all()  # it has just come, and knows as little of us

    def _forget(self, name: str) -> None:
        node = self._nodes.pop(name, None)
        if node is not None:
            self._apply(node, [], list(node.entries()))

    def _ask(self, name: str) -> None:
        self._tell(_ASK, {"of": name})

    def _tell_all(self) -> None:
        self._tell(_ALL, {"number": self._own.number, "entries": _wire(list(self._own.entries()))})

    def _tell(self, kind: str, note: dict[str, Any]) -> None:
        self._pubsub.tell(kind, {"node": self._name, **note})


def _wire(entries: Entries) -> list[list[Any]]:
    return [[entry.topic, entry.key, entry.ref, entry.meta] for entry in entries]


def _entries(wire: list[list[Any]]) -> list[PresenceEntry]:
    return [PresenceEntry(*fields) for fields in wire]
