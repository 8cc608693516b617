"""Follows a conversation: every message once and in order, however often the connection is lost.

It keeps `(epoch, last_seq, last_change)`, rejoins with it, and fetches whatever is missing; so it is also an example of
what `docs/protocol.md` asks of a client.
"""

import asyncio
import base64
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from famichat.cli.refusal import Refused
from famichat.cli.remote import Remote

Tell = Callable[[str, dict[str, Any]], None]

_HEARTBEAT_SECONDS = 30
_REPLY_SECONDS = 10
_FORBIDDEN = 403
_BACKOFF = (0.1, 0.5, 1, 2, 5)
_FOR_NOW = {"rate_limited", "unavailable", "internal_error"}


class Lost(Exception):
    """The connection, or the channel on it, is gone; a new one may do."""


class Listener:
    """One device in one conversation.

    Args:
        remote: the server, and who is signed in there.
        topic: the conversation's topic.
        tell: called with each event and its payload; `new_msg` comes for each message once, in order of `seq`, and
            `message_updated` also for what changed while the connection was away.
        history: how many of the messages from before are told first.
        status: what is acknowledged of others' messages; None acknowledges nothing.
    """

    def __init__(
        self, remote: Remote, topic: str, tell: Tell, *, history: int, status: Literal["delivered", "read"] | None
    ) -> None:
        self._remote = remote
        self._topic = topic
        self._tell = tell
        self._history = history
        self._status = status
        self._place: dict[str, Any] = {}
        self._joined = False

    async def follow(self) -> None:
        """Listen until cancelled.

        Raises:
            Refused: the server does not let this person in here (any more).
        """
        delays = _delays()
        while True:
            try:
                await self._connect()
            except (Lost, TimeoutError, WebSocketException):
                if self._joined:  # all was well meanwhile: begin with short delays again
                    delays, self._joined = _delays(), False
                await asyncio.sleep(next(delays))

    async def _connect(self) -> None:
        token = base64.b64encode(self._remote.session.access_token.encode()).decode().rstrip("=")
        offered = [Subprotocol("phoenix"), Subprotocol(f"base64url.bearer.phx.{token}")]
        address = self._remote.session.url.replace("http", "ws", 1) + "/socket/websocket?vsn=2.0.0"
        try:
            websocket = await connect(address, subprotocols=offered, max_size=None)
        except InvalidStatus as refused:
            if refused.response.status_code == _FORBIDDEN:
                await asyncio.to_thread(self._remote.renew)
            raise
        except OSError as error:
            raise Lost(address) from error
        async with websocket:
            await self._converse(Wire(websocket, self._topic))

    async def _converse(self, wire: "Wire") -> None:
        await self._catch_up(wire, await wire.join(self._place))
        self._joined = True
        beating = asyncio.create_task(wire.heartbeats(), name="heartbeats")
        try:
            async for event, payload in wire:
                await self._hear(wire, event, payload)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _catch_up(self, wire: "Wire", joined: dict[str, Any]) -> None:
        self._tell("joined", {name: joined[name] for name in ("epoch", "last_seq", "recovered", "encryption_status")})
        messages, reached = joined["messages"], joined["last_seq"]
        if not self._place:
            messages = messages[-self._history :] if self._history else []
        self._show(messages)
        if self._place and joined["recovered"] and joined["has_more"]:
            reached = max(reached, await self._fetch(wire, messages[-1]["seq"]))
        for changed in joined["changes"]:
            self._tell("message_updated", changed)
        self._place = {"epoch": joined["epoch"], "last_seq": reached, "last_change": joined["last_change"]}
        if joined["has_more_changes"]:
            await self._fetch_changes(wire, joined["changes"][-1]["change"])
        await self._acknowledge(wire, messages)

    async def _hear(self, wire: "Wire", event: str, payload: dict[str, Any]) -> None:
        if event == "message_updated":
            await self._hear_change(wire, payload)
            return
        if event != "new_msg":
            self._tell(event, payload)
            if event == "head" and payload["last_change"] > self._place["last_change"]:
                await self._fetch_changes(wire, self._place["last_change"])
            return
        if payload["seq"] <= self._place["last_seq"]:
            return
        if payload["seq"] > self._place["last_seq"] + 1:
            self._place["last_seq"] = await self._fetch(wire, self._place["last_seq"])
        else:
            self._show([payload])
            self._place["last_seq"] = payload["seq"]
        await self._acknowledge(wire, [payload])

    async def _fetch(self, wire: "Wire", after_seq: int) -> int:
        """Tell everything after a place; returns the place that it reached."""
        has_more = True
        while has_more:
            page = await wire.ask("fetch", {"after_seq": after_seq})
            self._show(page["messages"])
            has_more = page["has_more"]
            after_seq = page["messages"][-1]["seq"] if page["messages"] else after_seq
        return after_seq

    async def _hear_change(self, wire: "Wire", changed: dict[str, Any]) -> None:
        if changed["change"] > self._place["last_change"] + 1:
            await self._fetch_changes(wire, self._place["last_change"])
        elif changed["change"] > self._place["last_change"]:
            self._tell("message_updated", changed)
            self._place["last_change"] = changed["change"]

    async def _fetch_changes(self, wire: "Wire", after_change: int) -> None:
        """Tell everything that changed after a position."""
        has_more = True
        while has_more:
            feed = await wire.ask("fetch_changes", {"after_change": after_change})
            for changed in feed["changes"]:
                self._tell("message_updated", changed)
            has_more = feed["has_more"]
            after_change = feed["changes"][-1]["change"] if has_more else feed["last_change"]
        self._place["last_change"] = after_change

    def _show(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self._tell("new_msg", message)

    async def _acknowledge(self, wire: "Wire", messages: list[dict[str, Any]]) -> None:
        theirs = [message for message in messages if message["user_id"] != self._remote.session.user_id]
        if theirs and self._status is not None:
            await wire.push("message_ack", {"seq": theirs[-1]["seq"], "status": self._status})


class Wire:
    """One topic on one connection, in the frames of Phoenix Channels 2.0.0."""

    def __init__(self, websocket: ClientConnection, topic: str) -> None:
        self._websocket = websocket
        self._topic = topic
        self._refs = itertools.count(1)
        self._join_ref = ""
        self._unheard: deque[tuple[str, dict[str, Any]]] = deque()

    async def join(self, params: dict[str, Any]) -> dict[str, Any]:
        """Join the topic.

        Raises:
            Refused: for good.
            Lost: for now.
        """
        self._join_ref = str(next(self._refs))
        return await self._reply_to(await self._send(self._topic, "phx_join", params, self._join_ref))

    async def push(self, event: str, payload: dict[str, Any]) -> str:
        """Send an event; returns its ref."""
        return await self._send(self._topic, event, payload, str(next(self._refs)))

    async def ask(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send an event and wait for its reply; what comes before it is heard later.

        Raises:
            Refused, Lost: as `join` does.
        """
        return await self._reply_to(await self.push(event, payload))

    async def heartbeats(self) -> None:
        """Say every now and then that somebody is here."""
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            await self._send("phoenix", "heartbeat", {}, str(next(self._refs)))

    def __aiter__(self) -> "Wire":
        """Iterate over the events of the topic, as they come, until the connection is lost."""
        return self

    async def __anext__(self) -> tuple[str, dict[str, Any]]:
        """The next event that is no reply."""
        while not self._unheard:
            await self._receive()
        return self._unheard.popleft()

    async def _send(self, topic: str, event: str, payload: dict[str, Any], ref: str) -> str:
        join_ref = self._join_ref if topic == self._topic else None
        await self._websocket.send(json.dumps([join_ref, ref, topic, event, payload]))
        return ref

    async def _reply_to(self, ref: str) -> dict[str, Any]:
        async with asyncio.timeout(_REPLY_SECONDS):
            while (reply := await self._receive(ref)) is None:
                pass
        if reply["status"] == "ok":
            response: dict[str, Any] = reply["response"]
            return response
        reason = reply["response"].get("reason", "refused")
        if reason in _FOR_NOW:
            raise Lost(reason)
        raise Refused(reason)

    async def _receive(self, ref: str | None = None) -> dict[str, Any] | None:
        """Take the next frame: give the payload of the reply to `ref`, keep an event for later, and drop the rest."""
        _, its_ref, topic, event, payload = json.loads(await self._websocket.recv())
        if topic != self._topic:
            return None
        if event in {"phx_error", "phx_close"}:
            raise Lost(event)
        if event == "phx_reply":
            return payload if ref is not None and its_ref == ref else None
        self._unheard.append((event, payload))
        return None


def _delays() -> Iterator[float]:
    return itertools.chain(_BACKOFF, itertools.repeat(_BACKOFF[-1]))
