"""The network to PostgreSQL drops all packets without an error: requests fail in time, and the server recovers."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.cut_network import CutNetwork, cut_network
from tests.support.postgres import Postgres
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, Talkers, move_in

CUT_SECONDS = 6.0
ANSWERED_WITHIN = 5.0
RECOVERED_WITHIN = 10.0
FAILED = 300

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


@asynccontextmanager
async def reachable_through(network: CutNetwork, port: int) -> AsyncIterator[int]:
    """Forward a port of the network's host to one of this machine. Yields the former."""

    async def forward(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        upstream, to_upstream = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError, TimeoutError):
            await asyncio.gather(copy(client, to_upstream), copy(upstream, to_client))

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        finally:
            target.close()

    listener = network.listener()
    server = await asyncio.start_server(forward, sock=listener)
    yield listener.getsockname()[1]
    server.close()


async def requests(url: str, talkers: Talkers) -> tuple[tuple[int, float], ...]:
    """Read, send and ask for readiness at once. Returns the status and the duration of each, in this order."""
    seat = talkers.seats[0]

    async def timed(method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, float]:
        began = time.monotonic()
        answer = await http.request(method, path, json=body)
        return answer.status_code, time.monotonic() - began

    headers = {"Authorization": f"Bearer {seat.token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
        return await asyncio.gather(
            timed("GET", "/api/v1/conversations"),
            timed("POST", f"/api/v1/conversations/{seat.conv}/messages", {"body": "hej"}),
            timed("GET", "/readyz"),
        )


@pytest.mark.timeout(120)
async def test_requests_fail_in_time_while_the_database_is_silent_and_work_soon_after(
    postgres: Postgres, tmp_path: Path
) -> None:
    database_url = postgres.create("silent")
    talkers = move_in(database_url)
    with cut_network() as network:
        async with reachable_through(network, postgres.port) as port:
            routed = database_url.replace(f"127.0.0.1:{postgres.port}", f"{network.address}:{port}")
            async with FamichatServer(tmp_path / "data", database_url=routed, settings=KEYS) as server:
                before = await requests(server.url, talkers)
                network.cut()
                cut_at, during = time.monotonic(), list[tuple[int, float]]()
                while time.monotonic() < cut_at + CUT_SECONDS:
                    *served, _ = await requests(server.url, talkers)
                    during += served
                # Readiness is checked in the background, so the first answers may be older than the cut.
                *_, readiness = await requests(server.url, talkers)
                network.heal()
                healed_at = time.monotonic()
                while max(await requests(server.url, talkers))[0] >= FAILED:
                    assert time.monotonic() < healed_at + RECOVERED_WITHIN
    postgres.drop("silent")

    assert [status for status, _ in before] == [200, 201, 200]
    assert {status for status, _ in during} == {503}
    assert max(seconds for _, seconds in during) < ANSWERED_WITHIN
    assert readiness[0] == 503
    assert readiness[1] < 1
