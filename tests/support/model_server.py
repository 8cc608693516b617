"""An in-memory messenger with injectable faults, for testing the history checker.

It is not Famichat, but the minimum that satisfies the guarantees. Each `Bug` breaks one of them as real
servers have. `simulate` runs four people and a seeded storm of sends, cuts, kills and power cuts against it, in
virtual time, and gives the history of the run.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import count
from typing import Final, NamedTuple

from tests.support.history import (
    Attempt,
    Entry,
    History,
    Member,
    Read,
    Received,
    Record,
    Resumed,
    Settled,
    fingerprint,
)

CONV: Final = "kitchen"
BACKLOG: Final = 5  # what the broker of BROKER_ONLY remembers


class Bug(StrEnum):
    """The six planted bugs, each known from a real server."""

    SYNC_OFF = "sync off"
    ACK_BEFORE_COMMIT = "ack before commit"
    NO_ID_CHECK = "no client id check"
    BROKER_ONLY = "broker-only delivery"
    SEQ_FROM_CLOCK = "seq from clock"
    RESUME_OFF_BY_ONE = "resume off by one"


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to send, and the time of the attempt on the current connection."""

    client_id: str
    body_hash: str
    t_invoke: float


@dataclass(eq=False, slots=True)
class Device:
    """A well-behaved client: it resends unanswered messages and resumes after its last seq."""

    user: str
    reached: int = 0
    online: bool = False
    unanswered: dict[str, Draft] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.user}/phone"


class Answer(NamedTuple):
    """The result of a draft: the stored message, and whether it is new or a repeat."""

    device: Device
    draft: Draft
    entry: Entry
    new: bool


@dataclass(eq=False, slots=True)
class ModelServer:
    """One conversation on a disk that has a page cache: `stored` survives a kill, only `synced` of it a power cut."""

    bug: Bug | None
    stored: list[Entry] = field(default_factory=list)
    synced: int = 0
    waiting: list[tuple[Device, Draft]] = field(default_factory=list)
    backlog: list[Entry] = field(default_factory=list)

    def commit(self, now: float) -> list[Answer]:
        """Store all pending messages in the order of arrival."""
        answers = [self._store(device, draft, now) for device, draft in self.waiting]
        self.waiting.clear()
        if self.bug is not Bug.SYNC_OFF:
            self.synced = len(self.stored)
        return answers

    def _store(self, device: Device, draft: Draft, now: float) -> Answer:
        for entry in self.stored:
            same = entry.author == device.user and entry.client_id == draft.client_id
            if same and self.bug is not Bug.NO_ID_CHECK:
                return Answer(device, draft, entry, new=False)
        seq = int(now) if self.bug is Bug.SEQ_FROM_CLOCK else len(self.stored) + 1
        entry = Entry(seq, device.user, draft.client_id, draft.body_hash)
        self.stored.append(entry)
        self.backlog = [*self.backlog, entry][-BACKLOG:]
        return Answer(device, draft, entry, new=True)

    def missed(self, after: int) -> list[Entry]:
        """Return the join reply for a device with the last seq `after`."""
        if self.bug is Bug.BROKER_ONLY:
            return [entry for entry in self.backlog if entry.seq > after]
        off = 1 if self.bug is Bug.RESUME_OFF_BY_ONE else 0
        return [entry for entry in self.stored if entry.seq > after - off]

    def kill(self) -> None:
        self.waiting.clear()
        self.backlog.clear()

    def cut_power(self) -> None:
        self.kill()
        del self.stored[self.synced :]


class Run:
    """The server, its users, and their recorded history."""

    def __init__(self, bug: Bug | None, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a run must be repeatable, not secret
        self.server = ModelServer(bug)
        self.devices = [Device(user) for user in ("ann", "ben", "cleo", "dora")]
        self.records: list[Record] = [Member(CONV, device.user) for device in self.devices]
        self.now = 0.0
        self.names = count(1)

    def send(self) -> None:
        device = self.random.choice(self.devices)
        client_id = f"c{next(self.names)}"
        self._submit(device, Draft(client_id, fingerprint(client_id), self.now))

    def commit(self, lost: float = 0.0) -> None:
        """Store, then reply and broadcast; some senders are disconnected in between."""
        for device, draft, entry, new in self.server.commit(self.now):
            if self.random.random() < lost:
                self.drop(device)
            elif draft == device.unanswered.get(draft.client_id) and device.online:
                self._answer(device, draft, entry.seq)
            if new:
                self._tell(entry)

    def drop(self, device: Device) -> None:
        for draft in device.unanswered.values() if device.online else ():
            self.records.append(self._attempt(device, draft, None, "timeout"))
        device.online = False

    def reconnect(self, device: Device) -> None:
        """Join after the last seq, then resend unanswered messages."""
        if device.online:
            return
        device.online = True
        self.records.append(Resumed(device.name, CONV, device.reached))
        for entry in self.server.missed(device.reached):
            self._receive(device, entry)
        for draft in list(device.unanswered.values()):
            self._submit(device, Draft(draft.client_id, draft.body_hash, self.now))

    def crash(self, fault: Callable[[], None]) -> None:
        fault()
        for device in self.devices:
            self.drop(device)

    def finish(self) -> History:
        """Reconnect all clients, wait for all replies, and read."""
        for device in self.devices:
            self.now += 1
            self.reconnect(device)
        self.now += 1
        self.commit()
        for device in self.devices:
            self.records.append(Settled(device.name, CONV))
            self.records.append(Read(CONV, device.user, tuple(self.server.stored)))
        return History(tuple(self.records))

    def _submit(self, device: Device, draft: Draft) -> None:
        device.unanswered[draft.client_id] = draft
        if not device.online:
            return
        self.server.waiting.append((device, draft))
        if self.server.bug is Bug.ACK_BEFORE_COMMIT:
            self._answer(device, draft, len(self.server.stored) + len(self.server.waiting))

    def _answer(self, device: Device, draft: Draft, seq: int) -> None:
        self.records.append(self._attempt(device, draft, self.now, seq))
        del device.unanswered[draft.client_id]

    def _attempt(self, device: Device, draft: Draft, t_ok: float | None, outcome: int | str) -> Attempt:
        return Attempt(draft.t_invoke, t_ok, device.name, device.user, CONV, draft.client_id, draft.body_hash, outcome)

    def _tell(self, entry: Entry) -> None:
        for device in self.devices:
            if device.online:
                self._receive(device, entry)

    def _receive(self, device: Device, entry: Entry) -> None:
        device.reached = entry.seq
        self.records.append(Received(self.now, device.name, device.user, CONV, entry))


def simulate(bug: Bug | None, seed: int, steps: int = 400) -> History:
    """The history of one seeded run: the same seed gives the same history."""
    run = Run(bug, seed)
    deeds: dict[Callable[[], None], int] = {
        run.send: 40,
        run.commit: 20,
        partial(run.commit, lost=0.3): 5,
        lambda: run.drop(run.random.choice(run.devices)): 5,
        lambda: run.reconnect(run.random.choice(run.devices)): 25,
        lambda: run.crash(run.server.kill): 2,
        lambda: run.crash(run.server.cut_power): 2,
    }
    for deed in run.random.choices(list(deeds), list(deeds.values()), k=steps):
        run.now += 1
        deed()
    return run.finish()
