"""A device that behaves well, however the server is tormented, and notes what it saw.

It resumes after the last seq that it has, sends again under the same client id what was not answered, fetches what it
missed, and acknowledges what it received: what `docs/protocol.md` asks of a client.
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

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.support.history import UNKNOWN, Attempt, Entry, Received, Record, Resumed, fingerprint

ACK_EVERY: Final = 10
BACK_OFF: Final = 0.1  # seconds between attempts to connect, or to send what was `unavailable`
WINDOW: Final = 8  # unanswered messages, after which a device says nothing new
GIVE_UP: Final = 0.2  # how often somebody never sends again what was not answered
REPLY_WITHIN: Final = 15.0
Frame = list[Any]  # [join_ref, ref, topic, event, payload]


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
    """A message that somebody wants stored."""

    client_id: str
    body: str


class RefusedError(Exception):
    """The server would not let a member join: nothing that a client could cure by trying again."""


class Chatter:
    """One device in one conversation.

    Args:
        url: where the server's socket is.
        seat: who, and in which conversation.
        records: where it notes what it saw.
        pace: the mean pause before it says something new, in seconds.
        size: how long its messages are, at least.
        seed: what its randomness starts from.
    """

    def __init__(self, url: str, seat: Seat, records: list[Record], *, pace: float, size: int, seed: int) -> None:
        self.seat = seat
        self.reached = 0
        self.gaps = 0
        self.outcomes: Counter[str] = Counter()
        self.closings: Counter[int | None] = Counter()
        self.waits: list[float] = []
        self.drafts: dict[str, Draft] = {}
        self.speaking = True
        self.joined = asyncio.Event()
        self._url = f"{url}?vsn=2.0.0&token={seat.token}"
        self._records = records
        self._pace = pace
        self._size = size
        self._random = random.Random(seed)  # noqa: S311 - a storm to repeat, not a secret
        self._in_flight: dict[str, tuple[Draft, float]] = {}
        self._held: list[Entry] = []
        self._head = 0
        self._fetched_to = 0
        self._connection: ClientConnection | None = None
        self._rest_until = 0.0
        self._refs = count(1)
        self._names = count(1)

    async def run(self) -> None:
        """Be connected, whenever that is possible, until cancelled."""
        while True:
            with suppress(OSError, WebSocketException):  # the server is away; that is what we are here for
                await self._session()
            await asyncio.sleep(BACK_OFF * self._random.random())

    def lose_connection(self) -> None:
        """Be cut off in the middle of whatever goes on, as by a train that enters a tunnel."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def _session(self) -> None:
        async with connect(
            self._url, compression=None, ping_interval=None, max_size=None, open_timeout=5, close_timeout=1, proxy=None
        ) as ws:
            self._connection = ws
            speaking: asyncio.Task[None] | None = None
            try:
                await self._join(ws)
                speaking = asyncio.create_task(self._speak(ws))
                async for text in ws:
                    self._hear(json.loads(text))
                    if self._held or self._head > self.reached:
                        await self._catch_up(ws)
            finally:
                self.joined.clear()
                self.closings[ws.close_code] += 1
                if speaking is not None:
                    speaking.cancel()
                    with suppress(asyncio.CancelledError, WebSocketException):
                        await speaking
                self._lose_answers()

    async def _join(self, ws: ClientConnection) -> None:
        reply = await self._ask(ws, "phx_join", {"last_seq": self.reached})
        if reply["status"] != "ok":
            reason = reply["response"]["reason"]
            raise OSError(reason) if reason in {*UNKNOWN, "join crashed"} else RefusedError(reason)
        self._records.append(Resumed(self.seat.device, self.seat.conv, self.reached))
        page = reply["response"]
        self._take_page(page)
        while page["has_more"]:
            page = await self._fetch(ws)
        self._release()
        self.joined.set()

    async def _catch_up(self, ws: ClientConnection) -> None:
        """Something is missing before what was pushed, or before the head: fetch it, as a client should."""
        self.gaps += bool(self._held)
        while (await self._fetch(ws))["has_more"]:
            pass
        self._release()

    async def _fetch(self, ws: ClientConnection) -> dict[str, Any]:
        reply = await self._ask(ws, "fetch", {"after_seq": self.reached})
        if reply["status"] != "ok":
            raise OSError(f"fetch was answered {reply['response']}")  # connect again, and join
        page: dict[str, Any] = reply["response"]
        self._take_page(page)
        self._fetched_to = self.reached
        return page

    async def _ask(self, ws: ClientConnection, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Push and read on until its reply; messages that arrive meanwhile are held back."""
        ref = await self._push(ws, event, payload)
        async with asyncio.timeout(REPLY_WITHIN):
            while True:
                frame = json.loads(await ws.recv())
                if frame[1] == ref and frame[3] == "phx_reply":
                    reply: dict[str, Any] = frame[4]
                    return reply
                self._hear(frame, hold=True)

    async def _push(self, ws: ClientConnection, event: str, payload: dict[str, Any]) -> str:
        ref = str(next(self._refs))
        await ws.send(json.dumps(["1", ref, self.seat.topic, event, payload]))
        return ref

    def _hear(self, frame: Frame, *, hold: bool = False) -> None:
        _, ref, _, event, payload = frame
        if event == "phx_reply" and ref in self._in_flight:
            self._answered(*self._in_flight.pop(ref), payload)
        elif event == "new_msg":
            self._hear_message(entry_of(payload), hold=hold)
        elif event == "head":
            self._head = payload["last_seq"]
        elif event in {"phx_error", "phx_close"}:
            raise OSError(f"the server ended the channel: {event}")

    def _hear_message(self, entry: Entry, *, hold: bool) -> None:
        if hold or entry.seq > self.reached + 1:
            self._held.append(entry)
        elif entry.seq > self._fetched_to:  # what it had to fetch may be pushed after all; a join's page may not
            self._take(entry)

    def _take_page(self, page: dict[str, Any]) -> None:
        for message in page["messages"]:
            self._take(entry_of(message))

    def _take(self, entry: Entry) -> None:
        self._records.append(Received(time.monotonic(), self.seat.device, self.seat.user, self.seat.conv, entry))
        self.reached = entry.seq

    def _release(self) -> None:
        # A page may hold what was also pushed while it was asked for: that is no repeat by the server.
        held, self._held = self._held, []
        for entry in held:
            if entry.seq > self.reached:
                self._take(entry)

    async def _speak(self, ws: ClientConnection) -> None:
        """Send again what was never answered, then say new things; acknowledge now and then."""
        acked = self.reached
        while True:
            waiting = {draft.client_id for draft, _ in self._in_flight.values()}
            rested = time.monotonic() > self._rest_until
            for draft in [draft for draft in self.drafts.values() if rested and draft.client_id not in waiting]:
                await self._send(ws, draft)
            if self.reached >= acked + ACK_EVERY:
                acked = self.reached
                await self._push(ws, "message_ack", {"seq": acked, "status": "delivered"})
            await asyncio.sleep(2 * self._pace * self._random.random() if self.speaking else BACK_OFF)
            if self.speaking and len(self.drafts) < WINDOW:
                client_id = f"{self.seat.device}-{next(self._names)}"
                self.drafts[client_id] = Draft(
                    client_id, f"{client_id} {self._random.random()} ".ljust(self._size, ".")
                )

    async def _send(self, ws: ClientConnection, draft: Draft) -> None:
        ref = str(next(self._refs))
        self._in_flight[ref] = draft, time.monotonic()
        payload = {"body": draft.body, "client_id": draft.client_id}
        await ws.send(json.dumps(["1", ref, self.seat.topic, "new_msg", payload]))

    def _answered(self, draft: Draft, t_invoke: float, payload: dict[str, Any]) -> None:
        t_ok, answer = time.monotonic(), payload["response"]
        outcome: int | str = answer["seq"] if payload["status"] == "ok" else answer["reason"]
        self.waits.append(t_ok - t_invoke)
        self._record(draft, t_invoke, t_ok if payload["status"] == "ok" else None, outcome)
        if outcome in UNKNOWN:
            self._rest_until = t_ok + BACK_OFF
        else:
            self.drafts.pop(draft.client_id, None)

    def _lose_answers(self) -> None:
        in_flight, self._in_flight, self._held = self._in_flight, {}, []
        for draft, t_invoke in in_flight.values():
            self._record(draft, t_invoke, None, "timeout")
            if self._random.random() < GIVE_UP:
                self.drafts.pop(draft.client_id, None)

    def _record(self, draft: Draft, t_invoke: float, t_ok: float | None, outcome: int | str) -> None:
        self.outcomes["acked" if t_ok else str(outcome)] += 1
        seat, body_hash = self.seat, fingerprint(draft.body)
        self._records.append(
            Attempt(t_invoke, t_ok, seat.device, seat.user, seat.conv, draft.client_id, body_hash, outcome)
        )


async def eavesdrop(url: str, seat: Seat, records: list[Record]) -> None:
    """Try to join a conversation of others, stay connected all the same, and note whatever comes."""
    while True:
        with suppress(OSError, WebSocketException):
            async with connect(f"{url}?vsn=2.0.0&token={seat.token}", close_timeout=1, proxy=None) as ws:
                await ws.send(json.dumps(["1", "1", seat.topic, "phx_join", {"last_seq": 0}]))
                async for text in ws:
                    _, _, _, event, payload = json.loads(text)
                    told = [payload] if event == "new_msg" else payload.get("response", {}).get("messages", [])
                    t = time.monotonic()
                    records.extend(
                        Received(t, seat.device, seat.user, seat.conv, entry_of(message)) for message in told
                    )
        await asyncio.sleep(BACK_OFF)


def entry_of(message: dict[str, Any]) -> Entry:
    """A message, as the checker compares it."""
    return Entry(message["seq"], message["user_id"], message["client_id"], fingerprint(message["body"]))
