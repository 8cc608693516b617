"""The event of connections and channels."""

import asyncio
import sys

from famichat.realtime.small_event import SmallEvent


async def test_every_waiting_task_wakes_when_the_event_is_set_and_later_ones_do_not_wait() -> None:
    event = SmallEvent()
    waiting = [asyncio.create_task(event.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)

    event.set()
    await asyncio.gather(*waiting, event.wait())
    assert event.is_set()


async def test_a_cancelled_task_does_not_end_the_wait_of_the_others() -> None:
    event = SmallEvent()
    cancelled, waiting = (asyncio.create_task(event.wait()) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert not waiting.done()

    event.set()
    await waiting


async def test_an_event_that_was_cleared_blocks_again() -> None:
    event = SmallEvent()
    event.set()
    event.clear()
    waiting = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    assert not waiting.done()

    event.set()
    event.clear()
    await waiting


def test_it_takes_less_memory_than_the_event_of_asyncio() -> None:
    event = SmallEvent()

    assert 5 * (sys.getsizeof(event) + sys.getsizeof(event._waiters)) < sys.getsizeof(asyncio.Event()._waiters)
