"""Several worker processes behind one port, with a real PostgreSQL and Redis."""

import asyncio
import errno
import itertools
import json
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from famichat.accounts.sign_in.token import Tokens
from famichat.app.worker_socket import WorkerId
from famichat.app.workers import Worker, WorkerEnded
from famichat.settings import Settings
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.telemetry import events
from famichat.telemetry.events import Event
from tests.factories.people import SECRET, Household, Person
from tests.support.app import Talks, move_in
from tests.support.channel_client import ChannelClient
from tests.support.postgres import Postgres
from tests.support.program import Started, started
from tests.support.redis import Redis
from tests.support.talkers import KEYS


@dataclass(frozen=True, slots=True)
class Workers:
    """A server with two workers."""

    process: Started
    url: str
    home: Household
    talks: Talks

    def token(self, person: Person) -> str:
        return Tokens(SECRET).issue(person.user_id, person.device_id)

    async def metric(self, name: str) -> dict[str, float]:
        """Return a metric of each worker."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as http:
            text = (await http.get("/metrics")).raise_for_status().text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {sample.labels["worker"]: sample.value for sample in samples if sample.name == name}

    async def until(self, name: str, **expected: float) -> None:
        """Wait until a metric has a value for each worker."""
        async with asyncio.timeout(30):
            while await self.metric(name) != {each[1:]: value for each, value in expected.items()}:  # noqa: ASYNC110 - it asks the server again
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def workers(postgres: Postgres, migrated_postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    folder = tmp_path_factory.mktemp("workers")
    redis = Redis(folder)
    url = postgres.create(f"test_{new_id()}", migrated_postgres)
    database = Database(url)
    home, talks = database.run(move_in)
    database.close()
    settings = {f"FAMICHAT_{name}": value for name, value in KEYS.items()}
    given = {"data_dir": folder / "data", "database_url": url, "pubsub_url": redis.url, "rate_limits": "off"}
    try:
        with started("serve", "--workers", "2", "--port", "0", "--json", **given, **settings) as process:
            yield Workers(process, json.loads(process.line())["url"], home, talks)
    finally:
        redis.kill()


async def test_clients_of_all_workers_receive_each_message(workers: Workers) -> None:
    await workers.until("famichat_hearing", _1=1, _2=1)
    topic = f"message:group:{workers.talks.group}"
    async with AsyncExitStack() as stack:

        async def connect(person: Person) -> ChannelClient:
            url = f"{workers.url.replace('http', 'ws')}/socket"
            client = await stack.enter_async_context(ChannelClient.connect(url, token=workers.token(person)))
            await client.join(topic)
            return client

        listening = [await connect(workers.home.emil)]
        while 0 in (await workers.metric("famichat_connections")).values():
            listening.append(await connect(workers.home.emil))
        maja = await connect(workers.home.maja)
        await maja.ask(topic, "new_msg", {"body": "hej"})

        for client in listening:
            assert (await client.assert_broadcast(topic, "new_msg")).payload["body"] == "hej"


async def test_a_long_poll_reaches_its_session_from_every_worker(workers: Workers) -> None:
    topic, refs = f"message:self:{workers.talks.self}", itertools.count(1)
    params = {"vsn": "2.0.0", "token": workers.token(workers.home.maja)}

    async def on_a_new_connection(method: str, content: str = "") -> dict[str, object]:
        async with httpx.AsyncClient(base_url=workers.url, trust_env=False, timeout=30) as http:
            headers = {"content-type": "application/x-ndjson"}
            reply = await http.request(method, "/socket/longpoll", params=params, content=content, headers=headers)
        answer: dict[str, object] = reply.raise_for_status().json()
        return answer

    params["token"] = str((await on_a_new_connection("GET"))["token"])
    for _ in range(12):  # all on one worker once in 16 million runs
        ref = str(next(refs))
        frame = json.dumps([ref, ref, topic, "phx_join", {}] if ref == "1" else [None, ref, "phoenix", "heartbeat", {}])
        assert (await on_a_new_connection("POST", frame))["status"] == 200
        answer = await on_a_new_connection("GET")
        assert answer["status"] == 200
        assert f'"{ref}"' in str(answer["messages"])


async def test_a_worker_that_is_killed_is_started_again(workers: Workers) -> None:
    before = await workers.metric("process_start_time_seconds")
    os.kill(_worker_pids(workers)[-1], signal.SIGKILL)

    async with asyncio.timeout(30):
        while True:
            now = await _metric_of_the_rest(workers)
            if now.keys() == before.keys() and now != before:
                break
            await asyncio.sleep(0.05)

    assert set(before) == {"1", "2"}
    assert sum(now[worker] != before[worker] for worker in before) == 1


def _worker_pids(workers: Workers) -> list[int]:
    parent = workers.process.process.pid
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


async def _metric_of_the_rest(workers: Workers) -> dict[str, float]:
    try:
        return await workers.metric("process_start_time_seconds")
    except httpx.TransportError:  # it was connected to the killed one
        return {}


async def test_a_worker_is_started_again_although_the_system_refused_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emitted: list[Event]
) -> None:
    async def ended(*_command: str, **_options: object) -> asyncio.subprocess.Process:
        return await spawn("true", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)

    async def refused(*_command: str, **_options: object) -> asyncio.subprocess.Process:
        refusals.append(1)
        if len(refusals) == 3:
            again.set()
            await asyncio.Event().wait()
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    spawn, refusals, again = asyncio.create_subprocess_exec, list[int](), asyncio.Event()
    worker = Worker(Settings(data_dir=tmp_path), WorkerId(1, 1, "parent"))
    monkeypatch.setattr("famichat.app.workers.FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", ended)
    with pytest.raises(WorkerEnded):
        await worker.start()
    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
    async with asyncio.timeout(10):
        keeping = asyncio.create_task(worker.keep_running())
        await asyncio.wait({keeping, waiting := asyncio.create_task(again.wait())}, return_when="FIRST_COMPLETED")
        assert again.is_set()
    assert events.WorkerEnded in {type(event) for event in emitted}
    for task in (keeping, waiting):
        task.cancel()
    await asyncio.wait({keeping, waiting})


async def test_stopping_the_server_drains_every_worker(workers: Workers) -> None:
    url = f"{workers.url.replace('http', 'ws')}/socket"
    async with AsyncExitStack() as stack:
        clients: list[ChannelClient] = []
        while not clients or 0 in (await workers.metric("famichat_connections")).values():
            client = ChannelClient.connect(url, token=workers.token(workers.home.maja))
            clients.append(await stack.enter_async_context(client))
        exit_code = await asyncio.to_thread(workers.process.end)

        assert exit_code == 0
        assert {await client.closed() for client in clients} == {1012}
