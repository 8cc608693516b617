"""A correct client under fault injection, which records all messages and replies for the history checker.

It resumes after its last seq, resends unanswered messages under the same client id, fetches missing messages and
acknowledges received ones, as `docs/protocol.md` requires.

It uses the wire of `famichat.client.phoenix`, but not `Conversation`, which suppresses duplicates and retries sends:
the checker must see every duplicate that the server sends, and the outcome of every attempt.
"""

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from famichat.client import Disconnected, Refused
from famichat.client.phoenix import Channel, Socket
from tests.support.history import UNKNOWN, Attempt, Entry, Received, Record, Resumed, fingerprint

ACK_EVERY: Final = 10
BACK_OFF: Final = 0.1  # seconds between attempts to connect, or to resend after `unavailable`
WINDOW: Final = 8  # unanswered messages, after which a device sends nothing new
GIVE_UP: Final = 0.2  # probability that an unanswered message is not resent
REPLY_WITHIN: Final = 15.0
LOST: Final = (OSError, TimeoutError, WebSocketException, Disconnected)
"""The errors of a connection that failed or was lost."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A user's device in a conversation, and the token that lets it in."""

    user: str
    device: str
    token: str
    topic: str

    @property
    def conv(self) -> str:
        return self.topic.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to send."""

    client_id: str
    body: str


class RefusedError(Exception):
    """The server refused the join of a member, which a retry cannot fix."""


class Chatter:
    """One device in one conversation.

    Args:
        url: where the server's socket is.
        seat: who, and in which conversation.
        records: receives everything observed.
        pace: the mean pause before a new message, in seconds.
        size: how long its messages are, at least.
        seed: of the random number generator.
    """

    def __init__(self, url: str, seat: Seat, records: list[Record], *, pace: float, size: int, seed: int) -> None:
        self.seat = seat
        self.reached = 0
        self.stored = 0  # the seq of the newest acknowledged message
        self.gaps = 0
        self.outcomes: Counter[str] = Counter()
        self.closings: Counter[int | None] = Counter()
        self.waits: list[float] = []
        self.drafts: dict[str, Draft] = {}
        self.speaking = True
        self.joined = asyncio.Event()
        self._url = url
        self._records = records
        self._pace = pace
        self._size = size
        self._random = random.Random(seed)  # noqa: S311 - a storm to repeat, not a secret
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._held: list[Entry] = []
        self._head = 0
        self._fetched_to = 0
        self._socket: Socket | None = None
        self._rest_until = 0.0
        self._names = count(1)

    async def run(self) -> None:
        """Stay connected, reconnecting after each loss, until cancelled."""
        while True:
            with suppress(*LOST):
                await self._session()
            await asyncio.sleep(BACK_OFF * self._random.random())

    def lose_connection(self) -> None:
        """Abort the connection at an arbitrary moment."""
        if self._socket is not None:
            self._socket.abort()

    async def _session(self) -> None:
        async with await _HearsAll.open(self._url, self.seat.token) as socket:
            self._socket = socket
            channel = socket.channel(self.seat.topic)
            speaking: asyncio.Task[None] | None = None
            try:
                await self._join(channel)
                speaking = asyncio.create_task(self._speak(channel))
                async for event, payload in channel:
                    self._hear(event, payload)
                    if self._held or self._head > self.reached:
                        await self._catch_up(channel)
            finally:
                self.joined.clear()
                self.closings[socket.close_code] += 1
                if speaking is not None:
                    speaking.cancel()
                    with suppress(asyncio.CancelledError, Disconnected):
                        await speaking
                await socket.close()  # ends the pushes in flight, as unanswered
                await asyncio.gather(*self._in_flight.values())
                self._held = []

    async def _join(self, channel: Channel) -> None:
        try:
            page = await channel.join({"last_seq": self.reached}, REPLY_WITHIN)
        except Refused as refused:
            reason = refused.code
            raise OSError(reason) if reason in {*UNKNOWN, "join crashed"} else RefusedError(reason) from None
        self._records.append(Resumed(self.seat.device, self.seat.conv, self.reached))
        self._take_page(page)
        while page["has_more"]:
            page = await self._fetch(channel)
        self._release()
        self.joined.set()

    async def _catch_up(self, channel: Channel) -> None:
        """Fetch the messages that are missing before a pushed message or up to the head."""
        self.gaps += bool(self._held)
        while (await self._fetch(channel))["has_more"]:
            pass
        self._release()

    async def _fetch(self, channel: Channel) -> dict[str, Any]:
        """Fetch the next page. Events that arrive meanwhile wait in the channel."""
        try:
            page = await channel.push("fetch", {"after_seq": self.reached}, REPLY_WITHIN)
        except Refused as refused:
            raise OSError(f"fetch was answered {refused.code}") from None  # connect again, and join
        self._take_page(page)
        self._fetched_to = self.reached
        return page

    def _hear(self, event: str, payload: dict[str, Any]) -> None:
        if event == "new_msg":
            self._hear_message(entry_of(payload))
        elif event == "head":
            self._head = payload["last_seq"]

    def _hear_message(self, entry: Entry) -> None:
        if entry.seq > self.reached + 1:
            self._held.append(entry)
        elif entry.seq > self._fetched_to:  # fetched entries may still be pushed; entries of a join's page may not
            self._take(entry)

    def _take_page(self, page: dict[str, Any]) -> None:
        for message in page["messages"]:
            self._take(entry_of(message))

    def _take(self, entry: Entry) -> None:
        self._records.append(Received(time.monotonic(), self.seat.device, self.seat.user, self.seat.conv, entry))
        self.reached = entry.seq

    def _release(self) -> None:
        # A page may contain entries pushed during the request: the server did not repeat them.
        held, self._held = self._held, []
        for entry in held:
            if entry.seq > self.reached:
                self._take(entry)

    async def _speak(self, channel: Channel) -> None:
        """Resend unanswered messages, then send new ones; acknowledge from time to time."""
        acked = self.reached
        while True:
            rested = time.monotonic() > self._rest_until
            for draft in [each for each in self.drafts.values() if rested and each.client_id not in self._in_flight]:
                self._in_flight[draft.client_id] = asyncio.create_task(self._send(channel, draft))
            if self.reached >= acked + ACK_EVERY:
                acked = self.reached
                await channel.cast("message_ack", {"seq": acked, "status": "delivered"})
            await asyncio.sleep(2 * self._pace * self._random.random() if self.speaking else BACK_OFF)
            if self.speaking and len(self.drafts) < WINDOW:
                client_id = f"{self.seat.device}-{next(self._names)}"
                self.drafts[client_id] = Draft(
                    client_id, f"{client_id} {self._random.random()} ".ljust(self._size, ".")
                )

    async def _send(self, channel: Channel, draft: Draft) -> None:
        t_invoke = time.monotonic()
        try:
            sent = await channel.push("new_msg", {"body": draft.body, "client_id": draft.client_id}, None)
        except Disconnected:
            self._record(draft, t_invoke, None, "timeout")
            if self._random.random() < GIVE_UP:
                self.drafts.pop(draft.client_id, None)
        except Refused as refused:
            self._answered(draft, t_invoke, refused.code)
        else:
            self.stored = max(self.stored, sent["seq"])
            self._answered(draft, t_invoke, sent["seq"])
        finally:
            del self._in_flight[draft.client_id]

    def _answered(self, draft: Draft, t_invoke: float, outcome: int | str) -> None:
        t_answer = time.monotonic()
        self.waits.append(t_answer - t_invoke)
        self._record(draft, t_invoke, t_answer if isinstance(outcome, int) else None, outcome)
        if outcome in UNKNOWN:
            self._rest_until = t_answer + BACK_OFF
        else:
            self.drafts.pop(draft.client_id, None)

    def _record(self, draft: Draft, t_invoke: float, t_ok: float | None, outcome: int | str) -> None:
        self.outcomes["acked" if t_ok else str(outcome)] += 1
        seat, body_hash = self.seat, fingerprint(draft.body)
        self._records.append(
            Attempt(t_invoke, t_ok, seat.device, seat.user, seat.conv, draft.client_id, body_hash, outcome)
        )


class _HearsAll(Socket):
    """Delivers every event to the only channel, whichever topic it has, so that misdirected events are recorded."""

    def receive(self, frame: list[Any]) -> None:
        _, ref, _, event, payload = frame
        [topic] = self.topics
        super().receive(frame if event == "phx_reply" else [None, ref, topic, event, payload])


async def eavesdrop(url: str, seat: Seat, records: list[Record]) -> None:
    """Try to join a conversation without being a member, stay connected, and record every message that arrives.

    It reads raw frames, because a `Channel` drops all events after its join was refused.
    """
    while True:
        with suppress(OSError, WebSocketException):
            async with connect(f"{url}?vsn=2.0.0&token={seat.token}", close_timeout=1, proxy=None) as ws:
                await ws.send(json.dumps(["1", "1", seat.topic, "phx_join", {"last_seq": 0}]))
                async for text in ws:
                    _, _, _, event, payload = json.loads(text)
                    messages = [payload] if event == "new_msg" else payload.get("response", {}).get("messages", [])
                    t = time.monotonic()
                    records.extend(
                        Received(t, seat.device, seat.user, seat.conv, entry_of(message)) for message in messages
                    )
        await asyncio.sleep(BACK_OFF)


def entry_of(message: dict[str, Any]) -> Entry:
    """A message, as the checker compares it. One that is damaged or missing has no body, unlike what was sent."""
    body = "no body" if message["body"] is None else message["body"]
    return Entry(message["seq"], message["user_id"], message["client_id"], fingerprint(body))
