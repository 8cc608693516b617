"""Presence on three nodes, simulated: whatever the broker loses, repeats and reorders, all nodes agree in the end.

The real classes run on a virtual clock; a seed decides who joins and leaves, and what happens to each message.
"""

import asyncio
from types import SimpleNamespace

import pytest

from famichat.realtime import Channel, Presence, PubSub, Socket
from famichat.realtime import presence as presence_module
from famichat.realtime.presence import State
from tests.simulation.virtual import World, run
from tests.support.effort import repetitions

NODES, CHANGES, SEEDS = 3, 60, range(repetitions(40, long=4000))
TOPICS = ("room:1", "room:2")
Outcome = tuple[list[dict[str, State]], list[dict[str, set[str]]], list[tuple[float, int, int, str]]]


async def joins_and_leaves(world: World) -> Outcome:
    """Let devices join and leave at random while the network is faulty, then wait until it has been quiet.

    Returns:
        what each node lists by topic; who is there; and the trace of the messages.
    """
    presences = [Presence(PubSub(world.broker())) for _ in range(NODES)]
    present: list[dict[Channel, str]] = [{} for _ in range(NODES)]
    running = [asyncio.create_task(presence.run()) for presence in presences]
    for _ in range(CHANGES):
        await asyncio.sleep(world.random.expovariate(3))
        node = world.random.randrange(NODES)
        if present[node] and world.random.random() < 0.5:
            channel = world.random.choice(list(present[node]))
            del present[node][channel]
            presences[node].untrack(channel)
        else:
            channel = Channel(Socket((), max_channels=1), world.random.choice(TOPICS))
            present[node][channel] = world.random.choice("abcdef")
            presences[node].track(channel, present[node][channel], {})
    world.faulty = False
    await asyncio.sleep(15)
    listed = [{topic: presence.list(topic) for topic in TOPICS} for presence in presences]
    everyone = [(channel.topic, key) for node in present for channel, key in node.items()]
    there = [{topic: {key for each, key in everyone if each == topic} for topic in TOPICS}] * NODES
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    return listed, there, world.trace


@pytest.fixture(autouse=True)
def virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    monkeypatch.setattr(presence_module, "time", clock)


def disagreements(seed: int) -> bool:
    listed, there, _ = run(seed, joins_and_leaves)
    counts = [{topic: sorted(_refs(state)) for topic, state in node.items()} for node in listed]
    return [{topic: set(state) for topic, state in node.items()} for node in listed] != there or any(
        count != counts[0] for count in counts
    )


def _refs(state: State) -> list[str]:
    return [meta["phx_ref"] for entry in state.values() for meta in entry["metas"]]


def test_all_nodes_agree_in_the_end() -> None:
    assert [seed for seed in SEEDS if disagreements(seed)] == []


def test_the_same_seed_gives_the_same_run() -> None:
    assert run(7, joins_and_leaves)[2] == run(7, joins_and_leaves)[2] != run(8, joins_and_leaves)[2]


def test_a_node_that_ignores_gaps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Presence, "_request_all", lambda *_: None)

    assert any(disagreements(seed) for seed in SEEDS)
