"""A server that is killed between a message and its notification: the device is notified once, also by another node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.factories.people import PASSWORD
from tests.support.postgres import Postgres
from tests.support.push_service import PushService, push_service
from tests.support.quick_notifications import RECOVERY_SECONDS
from tests.support.redis import Redis
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in, sqlite_in

PROGRAM = ("tests.support.quick_notifications",)
SETTINGS = {**KEYS, "PUSH_PRIVATE_ADDRESSES": "true"}


@asynccontextmanager
async def signed_in(server: FamichatServer, username: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", trust_env=False, timeout=30) as http:
        session = (await http.post("/sessions", json={"username": username, "password": PASSWORD})).raise_for_status()
        http.headers["authorization"] = f"Bearer {session.json()['access_token']}"
        yield http


async def subscribe_emil(server: FamichatServer, service: PushService) -> None:
    async with signed_in(server, "emil") as emil:
        (await emil.put("/me/push", json=service.browser("emil").subscription())).raise_for_status()


async def send_and_kill(server: FamichatServer) -> None:
    async with signed_in(server, "maja") as maja:
        conversations = (await maja.get("/conversations")).raise_for_status().json()["conversations"]
        [direct] = [each["id"] for each in conversations if each["type"] == "direct"]
        (await maja.post(f"/conversations/{direct}/messages", json={"body": "hello"})).raise_for_status()
        server.kill()


async def test_a_notification_that_was_pending_in_a_killed_server_is_sent_once_after_its_restart(
    tmp_path: Path,
) -> None:
    move_in(sqlite_in(tmp_path / "data"))
    async with push_service() as service:
        server = FamichatServer(tmp_path / "data", program=PROGRAM, settings=SETTINGS)
        async with server:
            await subscribe_emil(server, service)
            await send_and_kill(server)
            await server.start()
            await service.rung()
            await asyncio.sleep(1.5 * RECOVERY_SECONDS)

        assert [path for path, *_ in service.requests] == ["/emil"]


async def test_a_notification_that_was_pending_in_a_killed_node_is_sent_once_by_the_other_node(
    postgres: Postgres, migrated_postgres: str, tmp_path: Path
) -> None:
    database_url = postgres.create("notifications_kill9", migrated_postgres)
    move_in(database_url)
    broker = Redis(tmp_path)
    settings = {**SETTINGS, "PUBSUB_URL": broker.url}
    one, other = (
        FamichatServer(tmp_path / name, database_url=database_url, program=PROGRAM, settings=settings)
        for name in ("one", "other")
    )
    async with push_service() as service, one, other:
        await subscribe_emil(other, service)
        await send_and_kill(one)
        await service.rung()
        await asyncio.sleep(1.5 * RECOVERY_SECONDS)

        assert [path for path, *_ in service.requests] == ["/emil"]
    broker.kill()
    postgres.drop("notifications_kill9")
