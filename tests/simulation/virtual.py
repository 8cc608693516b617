"""A deterministic simulation: an event loop on a virtual clock, and a broker that loses, repeats and delays messages.

Everything random comes from one seed, so the same seed gives the same run.

def scenario(world: World) -> ...:
    ...
run(seed, scenario)
"""

import asyncio
import json
import random
import selectors
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, TypeVar

_T = TypeVar("_T")


class _VirtualSelector(selectors.BaseSelector):
    """Never waits: it moves the clock to the time of the next timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("deadlock: nothing is scheduled")
        self.now += max(timeout, 0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)  # asyncio registers its own pipe
        return self._keys[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which sleeping takes no time."""

    def __init__(self) -> None:
        self.virtual = _VirtualSelector()
        super().__init__(self.virtual)

    def time(self) -> float:
        """Return the virtual time in seconds, from 0."""
        return self.virtual.now


class World:
    """The clock, the chance and the network of a run.

    Attributes:
        random: decides everything.
        faulty: whether the network loses, repeats and reorders messages; it only delays them otherwise.
        trace: the messages that arrived: when, from which node, at which node, and their kind.
    """

    def __init__(self, loop: VirtualLoop, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self.loop = loop
        self.faulty = True
        self.trace: list[tuple[float, int, int, str]] = []
        self._brokers: list[SimulatedBroker] = []

    def broker(self) -> "SimulatedBroker":
        """Connect another node."""
        broker = SimulatedBroker(self, len(self._brokers))
        self._brokers.append(broker)
        return broker

    def send(self, sender: "SimulatedBroker", message: dict[str, Any]) -> None:
        """Deliver a message to each other node: after a delay, perhaps twice, perhaps never."""
        sealed = json.dumps(message)
        for receiver in self._brokers:
            if receiver is sender:
                continue
            chance = self.random.random() if self.faulty else 0.5
            for _ in range(0 if chance < 0.1 else 2 if chance > 0.95 else 1):
                delay = self.random.uniform(0.001, 0.05)
                self.loop.call_later(delay, self._deliver, sender.number, receiver, sealed)

    def _deliver(self, sender: int, receiver: "SimulatedBroker", sealed: str) -> None:
        message = json.loads(sealed)
        self.trace.append((self.loop.time(), sender, receiver.number, message["kind"]))
        receiver.handler(message)


class SimulatedBroker:
    """The connection of one node to the network; a `Broker` of `realtime.pubsub`."""

    hearing = True
    has_peers = True

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self.number = number
        self.handler: Callable[[dict[str, Any]], None] = lambda _message: None

    def subscribe(self, handler: Callable[[dict[str, Any]], None], _on_gap: Callable[[], None]) -> None:
        """Set the handler of messages."""
        self.handler = handler

    def publish(self, message: dict[str, Any], _replaces: Hashable = None) -> None:
        """Send a message to the other nodes."""
        self._world.send(self, message)


def run(seed: int, scenario: Callable[[World], Awaitable[_T]]) -> _T:
    """Run a scenario on a virtual clock, with all chance from a seed."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_call(scenario, World(loop, seed)))
    finally:
        loop.close()


async def _call(scenario: Callable[[World], Awaitable[_T]], world: World) -> _T:
    return await scenario(world)
