"""The workloads: the actions of the clients of a running server, and the measurements."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import uvloop

from bench.generator import Client, Deliveries, Talk, flows, gather, send_messages
from bench.servers.server import Population, Server
from bench.usage import Stopwatch, Usage, resident_bytes

MISSED: Final = 5
_READ: Final = 1_000
_READ_ROUNDS: Final = 5
_BUSY: Final = 0.9


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how much to measure.

    Attributes:
        seconds: of the messages of one workload.
        warm_up: seconds before the measurement.
        pairs: the number of pairs that exchange messages.
        clients: how many connect in `w4` and `w6`.
    """

    seconds: float
    warm_up: float
    pairs: int = 50
    clients: int = 1_000


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one workload on one server.

    Attributes:
        figures: the values by their names, the most important one first.
        generator_share: the CPU time of the generator, as a share of one core. Near 1, the generator is the bottleneck.
    """

    figures: dict[str, float]
    generator_share: float

    @property
    def limited_by_generator(self) -> bool:
        """Whether the server could have done more."""
        return self.generator_share > _BUSY


@dataclass(frozen=True, slots=True)
class Workload:
    """Something to measure.

    Attributes:
        title: what the clients do.
        measure: does it.
        higher_is_better: for the first figure.
        connects_all: whether all clients of the plan connect.
        room: the number of members of the room that it needs; 0 for none.
        stores: whether a server that stores nothing cannot do it.
        encrypted: whether it needs pairs with an MLS group, besides the others.
    """

    title: str
    measure: Callable[[Server, Plan], Awaitable[Result]]
    higher_is_better: bool = True
    connects_all: bool = False
    room: int = 0
    stores: bool = False
    encrypted: bool = False


def run(workload: Workload, server: Server, plan: Plan) -> Result:
    """Measure a workload."""

    async def measure() -> Result:
        return await workload.measure(server, plan)

    gc.collect()
    gc.freeze()  # pauses of the generator would count as latency
    return uvloop.run(measure())


def population(workloads: Sequence[Workload], plan: Plan) -> Population:
    """Return what a server needs for all of these workloads."""
    rooms = sorted({workload.room for workload in workloads} - {0})
    clients = plan.clients if any(workload.connects_all for workload in workloads) else 0
    encrypted = _encrypted(plan) if any(workload.encrypted for workload in workloads) else range(0)
    return Population(max(2 * plan.pairs + 2, 2 * encrypted.stop, clients, *rooms), rooms, encrypted)


def _encrypted(plan: Plan) -> range:
    """The pairs with an MLS group: after the others, and the one in which nothing is sent before."""
    return range(plan.pairs + 1, 2 * plan.pairs + 1)


def _messages(
    talks_of: Callable[[Plan], Sequence[Talk]], in_flight: int, *, receipts: bool = False
) -> Callable[[Server, Plan], Awaitable[Result]]:
    async def measure(server: Server, plan: Plan) -> Result:
        deliveries = Deliveries()
        async with flows(server.protocol, talks_of(plan), deliveries, receipts=receipts) as sending:
            for flow in sending:
                flow.send(in_flight)
            await deliveries.wait()
            await asyncio.sleep(plan.warm_up)
            stopwatch, before = Stopwatch(server.pids), deliveries.count
            deliveries.measuring = True
            await asyncio.sleep(plan.seconds)
            if deliveries.count == before:
                await deliveries.wait()
            deliveries.measuring = False
            used, count = stopwatch.stop(), deliveries.count - before
        return _result(used, count, deliveries)

    return measure


def _result(used: Usage, count: int, deliveries: Deliveries) -> Result:
    figures = {
        "deliveries/s": count / used.seconds,
        "p50 ms": deliveries.milliseconds(0.5),
        "p99 ms": deliveries.milliseconds(0.99),
        "server CPU s per 1,000": used.server_cpu / count * 1_000,
        "generator CPU s per 1,000": used.generator_cpu / count * 1_000,
    }
    return Result(figures, used.generator_cpu / used.seconds)


async def _latency(server: Server, plan: Plan) -> Result:
    result = await _messages(lambda _plan: [Talk("pair", 0)], 1)(server, plan)
    figures = result.figures
    return Result({"p50 ms": figures.pop("p50 ms"), "p99 ms": figures.pop("p99 ms"), **figures}, result.generator_share)


async def _idle(server: Server, plan: Plan) -> Result:
    before = resident_bytes(server.pid)
    stopwatch = Stopwatch(server.pids)
    clients = await gather(map(server.protocol.sign_in, range(plan.clients)))
    connected = stopwatch.stop()
    await asyncio.sleep(plan.warm_up)
    after = resident_bytes(server.pid)
    lost = sum(client.closed for client in clients)
    _close(clients)
    figures = {
        "KB per connection": (after - before) / plan.clients / 1024,
        "MB before": before / 1e6,
        "connections/s": plan.clients / connected.seconds,
        "lost": lost,
    }
    return Result(figures, connected.generator_cpu / connected.seconds)


async def _read(server: Server, plan: Plan) -> Result:
    talk = Talk("pair", plan.pairs)  # nothing is sent in it before
    await send_messages(server.protocol, [talk.number], _READ, 64)
    seconds = []
    stopwatch = Stopwatch(server.pids)
    for _ in range(_READ_ROUNDS):
        client = await server.protocol.sign_in(talk.users[1])
        started = time.perf_counter()
        count = await server.protocol.read_newest(client, talk, _READ)
        seconds.append(time.perf_counter() - started)
        client.close()
        if count < _READ:
            raise ConnectionError(f"The server gave only {count} messages.")
    used = stopwatch.stop()
    figures = {"ms": min(seconds) * 1_000, "median ms": sorted(seconds)[_READ_ROUNDS // 2] * 1_000}
    return Result(figures, used.generator_cpu / used.seconds)


async def _reconnect(server: Server, plan: Plan) -> Result:
    if server.keeps_messages:
        await send_messages(server.protocol, range(plan.clients // 2), MISSED, MISSED)
    clients: list[Client] = []

    async def resume(user: int) -> float:
        client = await server.protocol.sign_in(user)
        clients.append(client)
        await server.protocol.resume(client, Talk("pair", user // 2))
        client.ignore()
        return time.perf_counter() - started

    stopwatch, started = Stopwatch(server.pids), time.perf_counter()
    outcomes = await asyncio.gather(*map(resume, range(plan.clients)), return_exceptions=True)
    used = stopwatch.stop()
    _close(clients)
    seconds = sorted(outcome for outcome in outcomes if isinstance(outcome, float))
    if not seconds:
        raise ConnectionError(f"No client could connect: {outcomes[0]}")
    figures = {
        "s": seconds[-1],
        "p50 s": seconds[len(seconds) // 2],
        "server CPU ms each": used.server_cpu / len(seconds) * 1_000,
        "lost": len(outcomes) - len(seconds),
    }
    return Result(figures, used.generator_cpu / used.seconds)


def _close(clients: Sequence[Client]) -> None:
    for client in clients:
        client.close()


def _pairs(title: str, in_flight: int, *, receipts: bool = False) -> Workload:
    def talks(plan: Plan) -> list[Talk]:
        return [Talk("pair", number) for number in range(plan.pairs)]

    return Workload(title, _messages(talks, in_flight, receipts=receipts))


def _encrypted_pairs(title: str, in_flight: int) -> Workload:
    def talks(plan: Plan) -> list[Talk]:
        return [Talk("encrypted", number) for number in _encrypted(plan)]

    return Workload(title, _messages(talks, in_flight), encrypted=True)


def _room(members: int, *, receipts: bool = False) -> Workload:
    title = f"a room of {members}, 16 messages in flight" + (", with receipts" if receipts else "")
    return Workload(title, _messages(lambda _plan: [Talk("room", members)], 16, receipts=receipts), room=members)


WORKLOADS: Final = {
    "w4": Workload("1,000 idle connections", _idle, higher_is_better=False, connects_all=True),
    "w0": Workload("one pair, one message at a time", _latency, higher_is_better=False),
    "w1": _pairs("50 pairs, one message at a time each", 1),
    "w1r": _pairs("50 pairs, one message at a time each, with receipts", 1, receipts=True),
    "w2": _pairs("50 pairs, 32 messages in flight each", 32),
    "w2r": _pairs("50 pairs, 32 messages in flight each, with receipts", 32, receipts=True),
    "w2e": _encrypted_pairs("50 pairs, 32 encrypted messages in flight each", 32),
    "w3": _room(8),
    "w3r": _room(8, receipts=True),
    "w3b": _room(50),
    "w3br": _room(50, receipts=True),
    "w5": Workload("one client reads the newest 1,000 messages", _read, higher_is_better=False, stores=True),
    "w6": Workload("1,000 clients reconnect at once", _reconnect, higher_is_better=False, connects_all=True),
}
"""By name, in the order in which they run: memory is measured before a server has done anything else."""
