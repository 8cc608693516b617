"""A server that is killed before a push service answered: the notification is sent again, also by another node."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.factories.people import PASSWORD
from tests.support.postgres import Postgres
from tests.support.push_service import PushService, push_service
from tests.support.quick_notifications import RECOVERY_SECONDS
from tests.support.redis import Redis
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in, sqlite_in

PROGRAM = ("tests.support.quick_notifications",)
DIES = (*PROGRAM, "die")
SETTINGS = {**KEYS, "PUSH_PRIVATE_ADDRESSES": "true"}

killed = pytest.mark.parametrize(
    ("program", "requests_before"),
    [
        pytest.param(PROGRAM, 0, id="before the claim"),
        pytest.param(DIES, 0, id="between the claim and the request"),
        pytest.param(PROGRAM, 1, id="while it waits for a retry"),
    ],
)


@asynccontextmanager
async def signed_in(server: FamichatServer, username: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", trust_env=False, timeout=30) as http:
        session = (await http.post("/sessions", json={"username": username, "password": PASSWORD})).raise_for_status()
        http.headers["authorization"] = f"Bearer {session.json()['access_token']}"
        yield http


async def subscribe_emil(server: FamichatServer, service: PushService) -> None:
    async with signed_in(server, "emil") as emil:
        (await emil.put("/me/push", json=service.browser("emil").subscription())).raise_for_status()


async def send_and_kill(server: FamichatServer, service: PushService, requests_before: int) -> None:
    """Send a message and kill the server after these requests, unless it kills itself."""
    service.answers += ["503 Busy"] * requests_before
    async with signed_in(server, "maja") as maja:
        conversations = (await maja.get("/conversations")).raise_for_status().json()["conversations"]
        [direct] = [each["id"] for each in conversations if each["type"] == "direct"]
        (await maja.post(f"/conversations/{direct}/messages", json={"body": "hello"})).raise_for_status()
        if server.program == DIES:
            await server.died()
            return
        await service.rung(requests_before)
        server.kill()


async def requests_until_silence(service: PushService, count: int) -> list[tuple[str, str]]:
    """Wait for these requests and for any others; return the path and topic of each."""
    await service.rung(count)
    await asyncio.sleep(2.5 * RECOVERY_SECONDS)  # two looks for abandoned claims
    return [(path, headers["topic"]) for path, headers, _ in service.requests]


@killed
async def test_a_notification_of_a_killed_server_is_sent_after_its_restart(
    program: tuple[str, ...], requests_before: int, migrated_sqlite: Path, tmp_path: Path
) -> None:
    database_url = sqlite_in(tmp_path / "data")
    shutil.copy(migrated_sqlite, tmp_path / "data" / "famichat.db")
    move_in(database_url)
    server, restarted = (
        FamichatServer(tmp_path / "data", program=each, settings=SETTINGS) for each in (program, PROGRAM)
    )
    async with push_service() as service:
        async with server:
            await subscribe_emil(server, service)
            await send_and_kill(server, service, requests_before)
        async with restarted:
            requests = await requests_until_silence(service, requests_before + 1)

    assert [path for path, _ in requests] == ["/emil"] * (requests_before + 1)
    assert len({topic for _, topic in requests}) == 1, "the second request replaces the first"


@killed
async def test_a_notification_of_a_killed_node_is_sent_by_another_one(
    program: tuple[str, ...], requests_before: int, postgres: Postgres, migrated_postgres: str, tmp_path: Path
) -> None:
    database_url = postgres.create("notifications_kill9", migrated_postgres)
    move_in(database_url)
    broker = Redis(tmp_path)
    settings = {**SETTINGS, "PUBSUB_URL": broker.url}
    one, other = (
        FamichatServer(tmp_path / name, database_url=database_url, program=each, settings=settings)
        for name, each in (("one", program), ("other", PROGRAM))
    )
    async with push_service() as service, one, other:
        await subscribe_emil(other, service)
        await send_and_kill(one, service, requests_before)
        requests = await requests_until_silence(service, requests_before + 1)
    broker.kill()
    postgres.drop("notifications_kill9")

    assert [path for path, _ in requests] == ["/emil"] * (requests_before + 1)
    assert len({topic for _, topic in requests}) == 1, "the second request replaces the first"
