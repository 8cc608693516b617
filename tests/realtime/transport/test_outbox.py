import asyncio
import math
from typing import Any, cast

import pytest

from famichat.realtime import Limits
from famichat.realtime.transport.outbox import UNCOUNTED_BYTES, Outbox


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written))


class Setting:
    def __init__(self, **limits: Any) -> None:
        self.transport = Transport()
        self.overflows = 0
        self.counted: list[int] = []
        self.budget = math.inf
        transport = cast("asyncio.Transport", self.transport)
        self.outbox = Outbox(transport, Limits(**limits), self._overflow, self._count)

    def _overflow(self) -> None:
        self.overflows += 1

    def _count(self, size: int) -> bool:
        self.counted.append(size)
        return size <= self.budget


async def test_the_frames_of_one_turn_are_one_write() -> None:
    setting = Setting()
    for frame in (b"a", b"b", b"c"):
        setting.outbox.put(frame)
    assert setting.transport.written == []
    await asyncio.sleep(0)

    assert setting.transport.written == [b"abc"]


async def test_each_turn_has_its_own_write() -> None:
    setting = Setting()
    for frame in (b"a", b"b"):
        setting.outbox.put(frame)
        await asyncio.sleep(0)

    assert setting.transport.written == [b"a", b"b"]


async def test_nothing_is_written_while_the_client_does_not_read_and_all_of_it_after() -> None:
    setting = Setting()
    setting.outbox.put(b"a")
    setting.outbox.pause()
    setting.outbox.put(b"b")
    await asyncio.sleep(0)
    assert setting.transport.written == []
    assert (setting.outbox.frames, setting.outbox.size) == (2, 2)
    setting.outbox.resume()
    await asyncio.sleep(0)

    assert setting.transport.written == [b"ab"]
    assert (setting.outbox.frames, setting.outbox.size) == (0, 0)


@pytest.mark.parametrize(
    ("limits", "frames"), [({"queue_frames": 3}, [b"x"] * 4), ({"queue_bytes": 3}, [b"xx", b"xx"])]
)
async def test_a_full_queue_overflows_only_for_a_client_that_does_not_read(
    limits: dict[str, int], frames: list[bytes]
) -> None:
    reading, stuck = Setting(**limits), Setting(**limits)
    stuck.outbox.pause()
    for frame in frames:
        reading.outbox.put(frame)
        stuck.outbox.put(frame)
    await asyncio.sleep(0)

    assert (reading.overflows, stuck.overflows) == (0, 1)
    assert b"".join(reading.transport.written) == b"".join(frames)


async def test_one_frame_may_be_larger_than_the_queue() -> None:
    setting = Setting(queue_bytes=3)
    setting.outbox.pause()
    setting.outbox.put(b"larger")

    assert setting.overflows == 0


async def test_cleared_frames_are_not_written() -> None:
    setting = Setting()
    setting.outbox.put(b"a")
    setting.outbox.clear()
    await asyncio.sleep(0)

    assert setting.transport.written == []


async def test_a_client_that_reads_nothing_for_too_long_is_reported() -> None:
    setting = Setting(write_timeout=0)
    setting.outbox.pause()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert setting.overflows == 1

    setting.outbox.pause()
    setting.outbox.resume()
    await asyncio.sleep(0.01)
    assert setting.overflows == 1


async def test_unread_bytes_are_counted_in_steps_until_the_client_reads() -> None:
    setting = Setting()
    setting.outbox.put(bytes(UNCOUNTED_BYTES + 5))
    setting.outbox.flush()
    assert setting.counted == []
    setting.outbox.pause()
    for _ in range(100):
        setting.outbox.put(bytes(UNCOUNTED_BYTES // 50))
    setting.outbox.resume()

    assert setting.counted == [5, pytest.approx(5 + UNCOUNTED_BYTES, rel=0.05), 0]


async def test_a_client_overflows_when_the_bytes_of_all_clients_are_too_many() -> None:
    setting = Setting()
    setting.budget = UNCOUNTED_BYTES
    setting.outbox.pause()
    setting.outbox.put(bytes(2 * UNCOUNTED_BYTES))
    assert setting.overflows == 0
    setting.outbox.put(bytes(2 * UNCOUNTED_BYTES))

    assert setting.overflows == 1
