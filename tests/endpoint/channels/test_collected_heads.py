"""Positions that are broadcast together are sent together."""

import asyncio

from famichat.actions.events.payloads import Head, Heads
from famichat.endpoint.channels.collected_heads import CollectedHeads


def head(seq: int) -> Head:
    return {"last_seq": seq, "last_change": 0, "mls": None}


async def test_positions_of_one_round_are_one_frame_with_the_newest_of_each_conversation() -> None:
    sent: list[Heads] = []
    heads = CollectedHeads(sent.append)

    heads.add("a", head(1))
    heads.add("b", head(2))
    heads.add("a", head(3))
    assert sent == []
    await asyncio.sleep(0)
    heads.add("a", head(4))
    await asyncio.sleep(0)

    assert sent == [{"heads": {"a": head(3), "b": head(2)}}, {"heads": {"a": head(4)}}]
