"""Workers ask each other for metrics and long polls, over Unix sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from famichat.app.worker_socket import Siblings, WorkerId, WorkerSocket
from famichat.realtime import Endpoint, Limits, LongPoll
from famichat.realtime import events as realtime
from famichat.realtime.transport.longpoll_session import LongPollSession
from famichat.telemetry.events import BrokerNoteIgnored
from famichat.telemetry.metrics import Metrics
from tests.support.room import home

LIMITS = Limits(longpoll_window=5)
JOIN, ECHO = '["1","1","room:1","phx_join",{}]', '["1","2","room:1","echo",{}]'


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker with an endpoint of its own."""

    siblings: Siblings
    socket: WorkerSocket
    longpoll: LongPoll
    metrics: Metrics
    http: httpx.AsyncClient

    async def poll(self, token: str, method: str = "GET", content: str = "") -> dict[str, Any]:
        headers = {"content-type": "application/x-ndjson"}
        params = {"vsn": "2.0.0", "token": token}
        reply = await self.http.request(method, "/socket/longpoll", params=params, content=content, headers=headers)
        answer: dict[str, Any] = reply.raise_for_status().json()
        return answer


@asynccontextmanager
async def running_worker(data_dir: Path, number: int) -> AsyncIterator[Worker]:
    worker, metrics = WorkerId.parse(f"{number}/2/cafe"), Metrics()
    siblings = Siblings(data_dir, worker, metrics)
    longpolls: list[LongPoll] = []

    def app(endpoint: Endpoint) -> Starlette:
        longpolls.append(LongPoll(endpoint, worker.node, siblings))
        return Starlette(routes=[Route("/socket/longpoll", longpolls[0])])

    async with (
        home(limits=LIMITS, app=app) as house,
        httpx.AsyncClient(base_url=house.server.url, timeout=10) as http,
    ):
        socket = WorkerSocket(data_dir, worker, metrics, longpolls[0])
        await socket.open()
        yield Worker(siblings, socket, longpolls[0], metrics, http)
        await socket.close()


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[tuple[Worker, Worker]]:
    async with running_worker(tmp_path, 1) as one, running_worker(tmp_path, 2) as other:
        yield one, other


@pytest.fixture
def misrouted() -> Any:
    found: list[realtime.RealtimeEvent] = []
    unsubscribe = realtime.subscribe(
        lambda event: found.append(event) if isinstance(event, realtime.LongPollMisrouted) else None
    )
    yield found
    unsubscribe()


def test_a_worker_id_survives_the_command_line() -> None:
    assert str(WorkerId.parse("2/3/cafe")) == "2/3/cafe"
    assert WorkerId(2, 3, "cafe").siblings == {"cafe-1": 1, "cafe-3": 3}


async def test_a_long_poll_that_arrives_at_another_worker_is_forwarded(
    workers: tuple[Worker, Worker], misrouted: list[object]
) -> None:
    one, other = workers
    token = (await one.poll("maja"))["token"]

    assert await other.poll(token, "POST", JOIN) == {"status": 200}
    assert await other.poll(token, "POST", ECHO) == {"status": 200}
    answer = await other.poll(token)

    assert (answer["status"], answer["token"], len(answer["messages"])) == (200, token, 2)
    assert misrouted == []


async def test_a_forwarded_poll_that_its_client_gives_up_loses_no_message(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up, poll = asyncio.Event(), LongPollSession.poll

    async def watched(session: LongPollSession) -> list[bytes] | None:
        try:
            return await poll(session)
        finally:
            given_up.set()

    monkeypatch.setattr(LongPollSession, "poll", watched)
    one, other = workers
    token = (await one.poll("maja"))["token"]
    with pytest.raises(httpx.ReadTimeout):
        await other.http.get("/socket/longpoll", params={"vsn": "2.0.0", "token": token}, timeout=0.1)
    await asyncio.wait_for(given_up.wait(), 3)
    await one.poll(token, "POST", JOIN)

    answer = await other.poll(token)

    assert len(answer["messages"]) == 1


async def test_a_session_that_has_ended_on_another_worker_is_replaced(
    workers: tuple[Worker, Worker], misrouted: list[object]
) -> None:
    _, other = workers
    post = await other.poll("phx-longpoll.cafe-1.forgotten", "POST", JOIN)
    get = await other.poll("phx-longpoll.cafe-1.forgotten")

    assert post == {"status": 410}
    assert (get["status"], get["token"].startswith("phx-longpoll.cafe-2.")) == (410, True)
    assert misrouted == []


@pytest.mark.parametrize("node", ["cafe-1", "beef-7"], ids=["a worker that is away", "another machine"])
async def test_a_session_of_a_node_that_cannot_be_reached_is_replaced_and_reported(
    workers: tuple[Worker, Worker], misrouted: list[object], node: str
) -> None:
    one, other = workers
    await one.socket.close()

    answer = await other.poll(f"phx-longpoll.{node}.secret")

    assert answer["status"] == 410
    assert len(misrouted) == other.longpoll.misrouted == 1


async def test_metrics_of_all_workers_are_labelled(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    one.metrics.record(BrokerNoteIgnored(reason="malformed", error_type="X"))
    lines = (await other.siblings.metrics()).decode().splitlines()

    assert 'famichat_broker_messages_dropped_total{reason="malformed",worker="1"} 1.0' in lines
    assert len([line for line in lines if line.startswith("process_start_time_seconds{")]) == 2
    assert lines.count("# TYPE process_start_time_seconds gauge") == 1


async def test_metrics_of_a_worker_that_is_away_are_left_out(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    await one.socket.close()

    lines = (await other.siblings.metrics()).decode().splitlines()

    assert [line.partition(" ")[0] for line in lines if line.startswith("process_start_time_seconds{")] == [
        'process_start_time_seconds{worker="2"}'
    ]
