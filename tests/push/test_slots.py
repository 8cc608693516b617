import asyncio
from collections.abc import AsyncIterator

import pytest

from famichat.push.slots import UserSlots


@pytest.fixture
async def release() -> AsyncIterator[asyncio.Event]:
    event = asyncio.Event()
    yield event
    event.set()


async def holding(slots: UserSlots, user_id: str, started: list[str], release: asyncio.Event) -> None:
    async with slots.hold(user_id):
        started.append(user_id)
        await release.wait()


async def test_a_user_with_slow_push_services_delays_no_one_else(release: asyncio.Event) -> None:
    slots, started = UserSlots(), list[str]()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(holding(slots, "slow", started, release))
        tasks.create_task(holding(slots, "quick", started, release))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert started == ["slow", "slow", "quick"]
        release.set()

    assert started.count("slow") == 8
    assert slots._users == {}, "users without requests are forgotten"


async def test_all_users_together_have_a_limited_number_of_slots(release: asyncio.Event) -> None:
    slots, started = UserSlots(total=3, per_user=2), list[str]()
    async with asyncio.TaskGroup() as tasks:
        for user_id in ("maja", "emil", "maja", "emil"):
            tasks.create_task(holding(slots, user_id, started, release))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert started == ["maja", "emil", "maja"]
        release.set()
