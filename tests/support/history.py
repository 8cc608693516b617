"""Checks the guarantees of a messenger from the outside.

A run under load and faults writes a *history*: every attempt to send and how it ended, every message a device
received, where a device resumed, and what each member read when all was over. Nine functions, (a) to (i), each look
for one kind of broken promise; they trust nothing but the history, so they judge any server.

    history = History((Member("kitchen", "ann"), Attempt(1.0, 1.2, "phone", "ann", "kitchen", "c1", "5f3a", 1), ...))
    assert check(history) == []
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Final, NamedTuple

# After these the sender cannot know: the message may be stored or not. Any other code is a promise that it is not.
UNKNOWN: Final = frozenset({"timeout", "unavailable", "internal_error"})
# How long events may still reach a removed member (seconds).
GRACE: Final = 1.0


class Entry(NamedTuple):
    """A message as the server returns it: seq, sender, and a hash of its body."""

    seq: int
    author: str
    client_id: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at sending a message. `outcome` is the acknowledged seq, "timeout", or the error code."""

    t_invoke: float
    t_ok: float | None
    device: str
    user: str
    conv: str
    client_id: str
    body_hash: str
    outcome: int | str

    @property
    def acked(self) -> bool:
        return isinstance(self.outcome, int)


@dataclass(frozen=True, slots=True)
class Received:
    """A message received by a device through a join reply, push or fetch, in the order of processing."""

    t: float
    device: str
    user: str
    conv: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Resumed:
    """The device (re)joined with the last seq `after`: the next message must have seq `after` + 1."""

    device: str
    conv: str
    after: int


@dataclass(frozen=True, slots=True)
class Settled:
    """The device was joined at the end and waited: it should now have everything."""

    device: str
    conv: str


@dataclass(frozen=True, slots=True)
class Read:
    """All messages that a user read in a conversation after the run."""

    conv: str
    user: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A membership in a conversation, with its start and end."""

    conv: str
    user: str
    since: float = 0.0
    until: float | None = None


Record = Attempt | Received | Resumed | Settled | Read | Member


@dataclass(frozen=True, slots=True)
class Violation:
    """A violated guarantee: which one, in which conversation, and the evidence."""

    name: str
    conv: str
    evidence: str


class Sent(NamedTuple):
    """The identity of a message across repeated sends."""

    conv: str
    author: str
    client_id: str


@dataclass(frozen=True)
class History:
    """Everything observed in one run, in order."""

    records: tuple[Record, ...]

    @cached_property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(r for r in self.records if isinstance(r, Attempt))

    @cached_property
    def received(self) -> tuple[Received, ...]:
        return tuple(r for r in self.records if isinstance(r, Received))

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        return tuple(r for r in self.records if isinstance(r, Read))

    @cached_property
    def members(self) -> tuple[Member, ...]:
        return tuple(r for r in self.records if isinstance(r, Member))

    @cached_property
    def lists(self) -> dict[str, tuple[Entry, ...]]:
        """The list of each conversation as its first reader found it; (d) answers for the other readers."""
        found: dict[str, tuple[Entry, ...]] = {attempt.conv: () for attempt in self.attempts}
        for read in reversed(self.reads):
            found[read.conv] = read.entries
        return found

    @cached_property
    def times_stored(self) -> Counter[Sent]:
        return Counter(sent_as(conv, entry) for conv, entries in self.lists.items() for entry in entries)

    @cached_property
    def tries(self) -> dict[Sent, list[Attempt]]:
        tries = defaultdict(list)
        for attempt in self.attempts:
            tries[Sent(attempt.conv, attempt.user, attempt.client_id)].append(attempt)
        return dict(tries)


def check(history: History) -> list[Violation]:
    """Return all violations in a history; an empty list if all guarantees hold."""
    return [violation for verify in CHECKS for violation in verify(history)]


def acked_is_read(history: History) -> Iterator[Violation]:
    """(a) Every acknowledged message exists at the end, with the acknowledged seq and the sent body."""
    there = {conv: set(entries) for conv, entries in history.lists.items()}
    for attempt in history.attempts:
        if isinstance(attempt.outcome, int):
            promised = Entry(attempt.outcome, attempt.user, attempt.client_id, attempt.body_hash)
            if promised not in there[attempt.conv]:
                yield Violation("acked_lost", attempt.conv, f"acknowledged but not read: {promised}")


def stored_once(history: History) -> Iterator[Violation]:
    """(b) A client id is stored once, regardless of how often it was sent."""
    for sent, times in history.times_stored.items():
        if times > 1:
            yield Violation("stored_twice", sent.conv, f"{sent} stored {times} times")


def gap_free(history: History) -> Iterator[Violation]:
    """(c) The seqs of a conversation are 1, 2, 3 ... without gaps or duplicates."""
    for conv, entries in history.lists.items():
        for before, after in pairwise((0, *(entry.seq for entry in entries))):
            if after != before + 1:
                yield Violation("hole", conv, f"{before} is followed by {after}")


def same_for_all(history: History) -> Iterator[Violation]:
    """(d) All members read the same list of messages."""
    readers = {(read.conv, read.user) for read in history.reads}
    for member in history.members:
        if member.until is None and (member.conv, member.user) not in readers:
            yield Violation("lists_differ", member.conv, f"{member.user} never read")
    for read in history.reads:
        differing = set(read.entries) ^ set(history.lists[read.conv])
        if read.entries != history.lists[read.conv]:
            yield Violation("lists_differ", read.conv, f"{read.user} reads otherwise: {sorted(differing)[:3]}")


def real_time_order(history: History) -> Iterator[Violation]:
    """(e) A message sent after the acknowledgement of another one has a higher seq.

    A message begins with its first attempt and is done with its first acknowledgement: between the two it may have
    taken its place at any moment.
    """
    for conv, entries in history.lists.items():
        tries = [(entry.seq, history.tries.get(sent_as(conv, entry), [])) for entry in entries]
        begun = sorted((min(t.t_invoke for t in attempts), seq) for seq, attempts in tries if attempts)
        done = sorted((t.t_ok, seq) for seq, attempts in tries for t in attempts if t.acked and t.t_ok is not None)
        yield from _overtaken(conv, begun, done)


def _overtaken(conv: str, begun: list[tuple[float, int]], done: list[tuple[float, int]]) -> Iterator[Violation]:
    high, index = 0, 0
    for t_invoke, seq in begun:
        while index < len(done) and done[index][0] < t_invoke:
            high = max(high, done[index][1])
            index += 1
        if seq < high:
            yield Violation("order", conv, f"seq {seq} was sent at {t_invoke}, after seq {high} was acknowledged")


def nothing_invented(history: History) -> Iterator[Violation]:
    """(f) Every message read or received was sent."""
    sent = {(a.conv, a.user, a.client_id, a.body_hash) for a in history.attempts}
    reported = {(read.conv, entry) for read in history.reads for entry in read.entries}
    reported |= {(r.conv, r.entry) for r in history.received}
    for conv, entry in sorted(reported):
        if (conv, *entry[1:]) not in sent:
            yield Violation("never_sent", conv, f"nobody sent {entry}")


def fate_is_known(history: History) -> Iterator[Violation]:
    """(g) An unanswered message is stored once or not at all; a refused message is not stored."""
    stored = {(conv, *entry[1:]) for conv, entries in history.lists.items() for entry in entries}
    fates = defaultdict(list)
    for attempt in history.attempts:
        fates[(attempt.conv, attempt.user, attempt.client_id, attempt.body_hash)].append(attempt.outcome)
    for sent, outcomes in fates.items():
        refused = not any(isinstance(outcome, int) or outcome in UNKNOWN for outcome in outcomes)
        if refused and sent in stored:
            yield Violation("refused_but_stored", sent[0], f"{sent} was answered {outcomes}")
    for key, attempts in history.tries.items():
        if not any(a.acked for a in attempts) and history.times_stored[key] > 1:
            yield Violation("unanswered_twice", key.conv, f"{key} stored {history.times_stored[key]} times")


def streams_are_whole(history: History) -> Iterator[Violation]:
    """(h) A device receives the whole conversation in order, without gaps or duplicates."""
    listed = {conv: {entry.seq: entry for entry in entries} for conv, entries in history.lists.items()}
    reached: dict[tuple[str, str], int] = {}
    for record in history.records:
        if isinstance(record, Attempt | Read | Member):
            continue
        stream, entries = (record.device, record.conv), listed.get(record.conv, {})
        yield from _stream_step(record, entries, reached.get(stream))
        if not isinstance(record, Settled):
            reached[stream] = record.after if isinstance(record, Resumed) else record.entry.seq


def _stream_step(
    record: Received | Resumed | Settled, entries: dict[int, Entry], reached: int | None
) -> Iterator[Violation]:
    match record:
        case Resumed(device, conv, after) if reached is not None and after > reached:
            yield Violation("stream", conv, f"{device} had {reached} and resumed after {after}")
        case Settled(device, conv) if (reached or 0) != max(entries, default=0):
            yield Violation("stream", conv, f"{device} ended with {reached} of {max(entries, default=0)}")
        case Received(_, device, _, conv, entry) if entry.seq != (reached or 0) + 1:
            yield Violation("stream", conv, f"{device} had {reached} and received {entry.seq}")
        case Received(_, device, _, conv, entry) if entries.get(entry.seq) != entry:
            yield Violation("stream", conv, f"{device} received {entry}, the list has {entries.get(entry.seq)}")


def members_only(history: History) -> Iterator[Violation]:
    """(i) Only members receive or read a conversation, with a grace of one second after they left."""
    terms = defaultdict(list)
    for member in history.members:
        terms[(member.conv, member.user)].append(member)
    for received in history.received:
        if not _is_member(terms[(received.conv, received.user)], received.t):
            yield Violation("stranger", received.conv, f"{received.device} received {received.entry} at {received.t}")
    for read in history.reads:
        if not any(member.until is None for member in terms[(read.conv, read.user)]):
            yield Violation("stranger", read.conv, f"{read.user} could read it")


def _is_member(terms: list[Member], t: float) -> bool:
    return any(term.since <= t and (term.until is None or t <= term.until + GRACE) for term in terms)


CHECKS: Final[tuple[Callable[[History], Iterable[Violation]], ...]] = (
    acked_is_read,
    stored_once,
    gap_free,
    same_for_all,
    real_time_order,
    nothing_invented,
    fate_is_known,
    streams_are_whole,
    members_only,
)


def sent_as(conv: str, entry: Entry) -> Sent:
    return Sent(conv, entry.author, entry.client_id)


def fingerprint(body: str) -> str:
    """A short stand-in for a body: histories are kept, bodies are not."""
    return sha256(body.encode()).hexdigest()[:16]
