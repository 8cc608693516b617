"""How Famichat's start-up, memory and response times grow with the data: messages, conversations, members."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from bench.protocols.phoenix import PAGE, Directory, Phoenix
from bench.seed import FAMILY_TALK, seed_grown
from bench.servers.famichat import serving
from bench.usage import resident_bytes
from famichat.settings import load_settings

_REPEATS: Final = 7


class Size(NamedTuple):
    """How much data there is.

    Attributes:
        messages: in the family's conversation.
        conversations: groups of the user, besides the family's conversation.
        members: of the family.
    """

    messages: int = 1_000
    conversations: int = 10
    members: int = 10


SIZES: Final = {
    "1,000 messages, 11 conversations, family of 10": Size(),
    "100,000 messages": Size(messages=100_000),
    "101 conversations": Size(conversations=100),
    "1,001 conversations": Size(conversations=1_000),
    "family of 50": Size(members=50),
    "family of 500": Size(members=500),
    "1,000,000 messages": Size(messages=1_000_000),  # takes minutes, so it comes last
}
QUICK_SIZES: Final = {"20 messages": Size(messages=20, conversations=2, members=4)}


def measure_growth(folder: Path, size: Size) -> dict[str, float]:
    """Start a server on a fresh SQLite database of this size, and time what a user does.

    The first join is also what a client needs after its start. The fastest of several repetitions counts.

    Args:
        folder: an empty folder.
        size: the amount of data.

    Returns:
        the figures by their names.
    """
    settings = load_settings(data_dir=folder / "data")
    directory = seed_grown(settings, **size._asdict(), per_conversation=20)
    with serving(settings, folder, {}) as (port, pid, seconds):
        ready = resident_bytes(pid)
        steps = asyncio.run(_steps(port, directory))
        in_use = resident_bytes(pid)
    return {"start-up s": seconds, "ready MB": ready / 1e6, "in use MB": in_use / 1e6, **steps}


async def _steps(port: int, directory: Directory) -> dict[str, float]:
    headers = {"authorization": f"Bearer {directory.tokens[0]}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as http:
        listed = (await http.get("/api/v1/conversations")).raise_for_status()
        figures = {"list KB": len(listed.content) / 1024}
        figures["list ms"] = await _fastest(lambda: http.get("/api/v1/conversations"))
    return {**figures, **await _conversation_steps(Phoenix(port, directory), directory.topics[FAMILY_TALK])}


async def _conversation_steps(protocol: Phoenix, topic: str) -> dict[str, float]:
    client = await protocol.sign_in(0)
    refs = itertools.count()

    def call(event: str, **payload: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
        ref = "1" if event == "phx_join" else f"s{next(refs)}"
        return lambda: protocol.call(client, ref, topic, event, payload)

    last: int = (await call("phx_join")())["last_seq"]
    steps = {
        "join ms": call("phx_join"),
        "rejoin ms": call("phx_join", last_seq=last),
        "newest page ms": call("fetch", before_seq=last + 1, limit=PAGE),
        "middle page ms": call("fetch", before_seq=last // 2 + 1, limit=PAGE),
        "oldest page ms": call("fetch", after_seq=0, limit=PAGE),
        "send ms": call("new_msg", body="Dinner at six?"),
        "read receipt ms": call("message_ack", seq=last, status="read"),
    }
    figures = {name: await _fastest(step) for name, step in steps.items()}
    client.close()
    return figures


async def _fastest(step: Callable[[], Awaitable[object]]) -> float:
    durations = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        await step()
        durations.append(time.perf_counter() - started)
    return min(durations) * 1_000
