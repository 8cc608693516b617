"""Presence: tracks which clients are on a topic, on all nodes, and pushes the changes to them (rules 41 to 45).

    class RoomChannel(Channel):
        async def after_join(self):
            presence.track(self, self.socket.assigns.user_id, {"device": "phone"})
            self.push("presence_state", presence.list(self.topic))

        async def terminate(self, reason):
            presence.untrack(self)

Each node owns the entries of its own clients and keeps a copy of the other nodes' entries. The broker may lose
messages, so consistency does not depend on any single one:

- Each change has a number. A node that receives a change with a gap before it ignores it and requests a full state.
- Heartbeats carry the number of the last change, so a lost change is noticed even if no other change follows.
- A full state replaces the copy: only the difference is pushed to clients, by `ref`, so clients never see duplicates.
- A node that sends nothing for `expiry` seconds is removed, with a leave for each of its entries.

A client that hides its presence is tracked like any other, but not announced. The choice is published to
all nodes, because the same user may be connected to several.
"""

import asyncio
import itertools
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from famichat.realtime.channel import Channel
from famichat.realtime.presence_diffs import Entries, PresenceDiffs, PresenceEntry
from famichat.realtime.pubsub import PubSub

Meta = dict[str, Any]
State = dict[str, dict[str, Any]]
"""By key, such as a user id: `{"metas": [...]}`, with one meta per tracked channel (rule 43)."""

Fetch = Callable[[str, State], State]
"""Adds fields beside `metas` to a topic's state and diffs, such as names."""

# The kinds of messages between nodes. Nodes of different versions may run together, so the names must not change.
_CHANGE, _HEARTBEAT, _HIDDEN = "presence_change", "presence_heartbeat", "presence_choice"
_REQUEST_ALL, _ALL, _GOODBYE = "presence_ask", "presence_all", "presence_bye"


@dataclass(slots=True)
class _Node:
    """The entries of one node, and the number of its last change that was applied."""

    number: int = 0
    last_seen_at: float = field(default_factory=time.monotonic)
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
    """The presences of all topics on all nodes.

    Args:
        pubsub: delivers the changes to clients and to other nodes.
        fetch: adds fields to the state and the diffs.
        heartbeat: seconds between two heartbeats to the other nodes.
        expiry: seconds without a message after which a node is removed.
        broadcast_period: seconds between two diffs of a topic; 0 to send a diff for every change.
    """

    def __init__(
        self,
        pubsub: PubSub,
        *,
        fetch: Fetch | None = None,
        heartbeat: float = 2.5,
        expiry: float = 10.0,
        broadcast_period: float = 0.0,
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
        self._hidden_keys: set[str] = set()
        self.hidden_changes = 0
        """Counts the calls of `set_hidden` on all nodes. While it stays the same, a choice that was read is current."""
        self._diffs = PresenceDiffs(self._send_diff, broadcast_period)
        pubsub.handle(_CHANGE, self._on_change)
        pubsub.handle(_HEARTBEAT, self._on_heartbeat)
        pubsub.handle(_REQUEST_ALL, lambda message: self._publish_all() if message["of"] == self._name else None)
        pubsub.handle(_ALL, self._on_all)
        pubsub.handle(_GOODBYE, lambda message: self._forget(message["node"]))
        pubsub.handle(_HIDDEN, lambda message: self._on_hidden(message["key"], hidden=message["discreet"]))

    async def run(self) -> None:
        """Exchange presences with the other nodes until cancelled, then tell them that this node leaves."""
        try:
            await self._beat()
        finally:
            self._publish(_GOODBYE, {})

    # Called by channels

    def track(self, channel: Channel, key: str, meta: Meta) -> None:
        """Track a channel's client under a key; update the entry if it is already tracked."""
        self.update(channel, key, meta)

    def update(self, channel: Channel, key: str, meta: Meta) -> None:
        """Replace the meta of a channel's client. Clients get one diff with a leave and a join (rule 44)."""
        tracked = self._tracked.setdefault(channel, {})
        old = tracked.get(key)
        ref = f"{self._name}.{next(self._refs)}"
        published = {**meta, "phx_ref": ref} if old is None else {**meta, "phx_ref": ref, "phx_ref_prev": old.ref}
        tracked[key] = PresenceEntry(channel.topic, key, ref, published)
        if key not in self._hidden_keys:
            self._change([tracked[key]], [old] if old is not None else [])

    def untrack(self, channel: Channel) -> None:
        """Untrack a channel's client; does nothing if it is not tracked."""
        untracked = [entry for entry in self._tracked.pop(channel, {}).values() if entry.key not in self._hidden_keys]
        if untracked:
            self._change([], untracked)

    def set_hidden(self, key: str, *, hidden: bool) -> None:
        """Hide or show all present and future entries of a key, on all nodes."""
        self._on_hidden(key, hidden=hidden)
        self._publish(_HIDDEN, {"key": key, "discreet": hidden})

    def set_hidden_here(self, key: str, *, hidden: bool) -> None:
        """Hide or show the entries of a key on this node only."""
        if hidden == (key in self._hidden_keys):
            return
        (self._hidden_keys.add if hidden else self._hidden_keys.discard)(key)
        concerned = [entries[key] for entries in self._tracked.values() if key in entries]
        if concerned:
            self._change(*(([], concerned) if hidden else (concerned, [])))

    def list(self, topic: str) -> State:
        """Return the state of a topic on all nodes, to push as `presence_state` (rule 41)."""
        entries = [
            entry for node in (self._own, *self._nodes.values()) for entry in node.topics.get(topic, {}).values()
        ]
        return self._state(topic, entries)

    # Changes on this node

    def _on_hidden(self, key: str, *, hidden: bool) -> None:
        self.hidden_changes += 1
        self.set_hidden_here(key, hidden=hidden)

    def _change(self, joins: Entries, leaves: Entries) -> None:
        self._own.number += 1
        self._apply(self._own, joins, leaves)
        self._publish(_CHANGE, {"number": self._own.number, "joins": _to_json(joins), "leaves": _to_json(leaves)})

    def _apply(self, node: _Node, joins: Entries, leaves: Entries) -> None:
        """Apply a change to the entries of a node, and let this node's clients know."""
        for entry in leaves:
            node.remove(entry)
        for entry in joins:
            node.add(entry)
        for topic in dict.fromkeys(entry.topic for entry in (*joins, *leaves)):
            joined, left = ([entry for entry in entries if entry.topic == topic] for entries in (joins, leaves))
            self._diffs.add(topic, joined, left)

    def _send_diff(self, topic: str, joins: Entries, leaves: Entries) -> None:
        diff = {"joins": self._state(topic, joins), "leaves": self._state(topic, leaves)}
        self._pubsub.broadcast_here(topic, "presence_diff", diff)

    def _state(self, topic: str, entries: Entries) -> State:
        state: State = {}
        for entry in entries:
            state.setdefault(entry.key, {"metas": []})["metas"].append(entry.meta)
        return self._fetch(topic, state)

    # Changes on other nodes

    async def _beat(self) -> None:
        self._publish_all()
        while True:
            self._publish(_HEARTBEAT, {"number": self._own.number})
            silent_since = time.monotonic() - self._expiry
            for name, node in tuple(self._nodes.items()):
                if node.last_seen_at < silent_since:
                    self._forget(name)
            await asyncio.sleep(self._heartbeat)

    def _on_change(self, message: dict[str, Any]) -> None:
        node = self._nodes.get(message["node"])
        if node is None or message["number"] != node.number + 1:
            self._request_all(message["node"])
            return
        node.number, node.last_seen_at = message["number"], time.monotonic()
        self._apply(node, _from_json(message["joins"]), _from_json(message["leaves"]))

    def _on_heartbeat(self, message: dict[str, Any]) -> None:
        node = self._nodes.get(message["node"])
        if node is None or node.number != message["number"]:
            self._request_all(message["node"])
        if node is not None:
            node.last_seen_at = time.monotonic()

    def _on_all(self, message: dict[str, Any]) -> None:
        known = message["node"] in self._nodes
        node = self._nodes.setdefault(message["node"], _Node())
        node.number, node.last_seen_at = message["number"], time.monotonic()
        published = {entry.ref: entry for entry in _from_json(message["entries"])}
        known_entries = {entry.ref: entry for entry in node.entries()}
        self._apply(
            node,
            [entry for ref, entry in published.items() if ref not in known_entries],
            [entry for ref, entry in known_entries.items() if ref not in published],
        )
        if not known:
            self._publish_all()  # a new node, which does not know our entries either

    def _forget(self, name: str) -> None:
        node = self._nodes.pop(name, None)
        if node is not None:
            self._apply(node, [], list(node.entries()))

    def _request_all(self, name: str) -> None:
        self._publish(_REQUEST_ALL, {"of": name})

    def _publish_all(self) -> None:
        self._publish(_ALL, {"number": self._own.number, "entries": _to_json(list(self._own.entries()))})

    def _publish(self, kind: str, message: dict[str, Any]) -> None:
        self._pubsub.publish(kind, {"node": self._name, **message})


def _to_json(entries: Entries) -> list[list[Any]]:
    return [[entry.topic, entry.key, entry.ref, entry.meta] for entry in entries]


def _from_json(rows: list[list[Any]]) -> list[PresenceEntry]:
    return [PresenceEntry(*fields) for fields in rows]
