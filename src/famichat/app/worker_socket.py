"""The Unix sockets by which the workers of one machine reach each other, for metrics and long polls.

A connection carries one request: a JSON line, then as many bytes as it announces. Everything until the end of the
stream is the reply. Only the server's own user can connect: the sockets have mode 0600, in a directory of mode 0700.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import ClientDisconnect

from famichat.endpoint.admin.address import bound, socket_address
from famichat.realtime.transport.longpoll import ForwardedPoll, LongPoll
from famichat.telemetry.metrics import Metrics

_METRICS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WorkerId:
    """One of the workers of a machine.

    Attributes:
        number: from 1.
        count: how many there are.
        run: a random id of their parent process.
    """

    number: int
    count: int
    run: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the result of `str`."""
        number, count, run = text.split("/")
        return cls(int(number), int(count), run)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}/{self.run}"

    @property
    def node(self) -> str:
        """The id of this worker in long-poll sessions."""
        return f"{self.run}-{self.number}"

    @property
    def siblings(self) -> dict[str, int]:
        """The numbers of the other workers, by their ids in long-poll sessions."""
        return {f"{self.run}-{each}": each for each in range(1, self.count + 1) if each != self.number}


class WorkerSocket:
    """Answers the other workers.

    Args:
        data_dir: where the sockets are.
        worker: this worker.
        metrics: its metrics.
        longpoll: its long polls.
    """

    def __init__(self, data_dir: Path, worker: WorkerId, metrics: Metrics, longpoll: LongPoll) -> None:
        self._data_dir = data_dir
        self._worker = worker
        self._metrics = metrics
        self._longpoll = longpoll
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Start to accept connections.

        Raises:
            OSError: the socket cannot be created.
        """
        self._server = await asyncio.start_unix_server(
            self._answer, sock=bound(self._data_dir, _name(self._worker.number))
        )

    async def close(self) -> None:
        """Accept no more connections."""
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request: dict[str, Any] = json.loads(await reader.readline())
            if request["kind"] == "metrics":
                writer.write(self._metrics.render())
            else:
                body = await reader.readexactly(request["size"])
                poll = ForwardedPoll(**request["poll"])
                writer.write(await self._longpoll.answer_forwarded(poll, body, _end_of(reader)))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ClientDisconnect):
            pass  # the client of the other worker has disconnected, or that worker has ended
        finally:
            writer.close()


class Siblings:
    """The other workers of this machine.

    Args:
        data_dir: where the sockets are.
        worker: this worker.
        own: the metrics of this worker.
    """

    def __init__(self, data_dir: Path, worker: WorkerId, own: Metrics) -> None:
        self._data_dir = data_dir
        self._worker = worker
        self._own = own

    def reaches(self, node: str) -> bool:
        """Return whether a node is another worker of this machine."""
        return node in self._worker.siblings

    async def forward(self, node: str, poll: ForwardedPoll, body: bytes) -> bytes | None:
        """Let another worker answer a long poll; None if it cannot be reached."""
        number = self._worker.siblings[node]
        with suppress(OSError):
            return await self._ask(number, {"kind": "longpoll", "size": len(body), "poll": asdict(poll)}, body)
        return None

    async def metrics(self) -> bytes:
        """Return the metrics of all workers that answer, with a label `worker`."""
        numbers = [*self._worker.siblings.values()]
        texts = await asyncio.gather(*map(self._metrics_of, numbers))
        found = {number: text for number, text in zip(numbers, texts, strict=True) if text}
        return _labelled({**found, self._worker.number: self._own.render()})

    async def _metrics_of(self, number: int) -> bytes:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_METRICS_SECONDS):
                return await self._ask(number, {"kind": "metrics"})
        return b""

    async def _ask(self, number: int, request: Mapping[str, Any], body: bytes = b"") -> bytes:
        with socket_address(self._data_dir, _name(number)) as address:
            reader, writer = await asyncio.open_unix_connection(address)
        try:
            writer.write(json.dumps(request).encode() + b"\n" + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


def _labelled(texts: Mapping[int, bytes]) -> bytes:
    """Combine the metrics of several workers, by their numbers."""
    families: dict[str, Metric] = {}
    for number, text in sorted(texts.items()):
        for family in text_string_to_metric_families(text.decode()):
            merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                merged.add_sample(sample.name, {**sample.labels, "worker": str(number)}, sample.value)
    collector: Any = SimpleNamespace(collect=families.values)
    return generate_latest(collector)


def _name(number: int) -> str:
    return f"worker-{number}.sock"


async def _end_of(reader: asyncio.StreamReader) -> None:
    await reader.read(1)
