"""Runs several server processes on one port: `famichat serve --workers`.

The parent holds the lock of the data directory; it starts the workers, restarts those that end, and stops them one
after the other. Each worker is a node of its own. All bind the port with SO_REUSEPORT, so that the kernel distributes
the connections among them (socket(7)).
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from famichat.app.http_server import bound_socket
from famichat.app.server import Ready, handle_stop_signals
from famichat.app.service_manager import ServiceManager
from famichat.app.worker_socket import WorkerId
from famichat.settings import Settings
from famichat.storage.data_dir import DataDir
from famichat.telemetry import attach, emit, events
from famichat.telemetry.log import configure_logging, log_event

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
_STOP_SECONDS = 60.0
"""For how long the workers together may drain before the next one is stopped in any case."""
_KILL_SECONDS = 10.0


class WorkerEnded(Exception):
    """A worker ended before it accepted connections. It has printed the reason to standard error."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def run_workers(settings: Settings, count: int, on_ready: Callable[[Ready], None]) -> None:
    """Serve with several workers until SIGINT or SIGTERM, then stop them and return.

    Args:
        settings: what the operator configured. The workers read the same settings again.
        count: how many workers to run.
        on_ready: called once, when all workers accept connections.

    Raises:
        WorkerEnded: the first worker could not start.
        OSError: the address is in use, or the data directory cannot be used.
        DirectoryInUse: another process uses the data directory.
    """
    configure_logging(settings.log_level, settings.log_format)
    attach(log_event)

    async def serve_until_signal() -> None:
        stop = asyncio.Event()
        handle_stop_signals(stop)
        # Reserves the port, which may be chosen by the system. It does not listen, so it gets no connections.
        with bound_socket(settings.host, settings.port, shared=True) as reserved, DataDir(settings.data_dir).lock():
            bound = settings.model_copy(update={"port": reserved.getsockname()[1]})
            await supervise(bound, count, on_ready, stop)

    asyncio.run(serve_until_signal())


async def supervise(settings: Settings, count: int, on_ready: Callable[[Ready], None], stop: asyncio.Event) -> None:
    """Run workers until `stop` is set; see `run_workers`."""
    parent, manager = secrets.token_hex(4), ServiceManager.of(os.environ)
    workers = [Worker(settings, WorkerId(number, count, parent)) for number in range(1, count + 1)]
    try:
        # The first one creates or migrates the database.
        ready = await workers[0].start()
        await asyncio.gather(*[worker.start() for worker in workers[1:]])
        keeping = [asyncio.create_task(worker.keep_running()) for worker in workers]
        keeping.append(asyncio.create_task(manager.watch()))
        on_ready(ready)
        manager.ready(f"Running at {ready.addresses[0]} with {count} workers")
        await stop.wait()
        manager.stopping()
        for task in keeping:
            task.cancel()
        await asyncio.wait(keeping)
    finally:
        for worker in workers:
            await worker.stop(_STOP_SECONDS / count)
        await asyncio.gather(*[worker.end() for worker in workers])


class Worker:
    """A worker process.

    Args:
        settings: where it listens, and its data directory.
        worker_id: which one it is.
    """

    def __init__(self, settings: Settings, worker_id: WorkerId) -> None:
        self.id = worker_id
        self._command = _command(settings, worker_id)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Ready:
        """Start the process, and wait until it accepts connections.

        Raises:
            WorkerEnded: it ended before that.
        """
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,  # closed when the parent ends, however it ends: then the worker stops, too
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches the parent only, which stops one worker after the other
        )
        output = process.stdout
        line = b"" if output is None else await output.readline()
        if not line:
            raise WorkerEnded(await process.wait())
        printed = json.loads(line)
        return Ready(printed["url"], tuple(printed["addresses"]), printed["setup_code"])

    async def keep_running(self) -> None:
        """Start the process again whenever it ends, after a pause that doubles while it keeps ending."""
        clock = asyncio.get_running_loop().time
        pause, started_at = FIRST_PAUSE_SECONDS, clock()
        while self._process is not None:
            exit_code = await self._process.wait()
            if clock() - started_at > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            emit(events.WorkerEnded(worker=self.id.number, exit_code=exit_code, retry_in_seconds=pause))
            await asyncio.sleep(pause)
            pause, started_at = min(pause * 2, LONGEST_PAUSE_SECONDS), clock()
            # The next round reports it. The system may also refuse to start a process now.
            with suppress(WorkerEnded, OSError, ValueError):
                await self.start()

    async def stop(self, seconds: float) -> None:
        """Ask the process to drain and stop, and wait for at most `seconds` until it has."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), seconds)

    async def end(self) -> None:
        """Kill the process if it is still running some seconds later."""
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.wait(), _KILL_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _command(settings: Settings, worker_id: WorkerId) -> Sequence[str]:
    listen = ("--host", settings.host, "--port", str(settings.port))
    data_dir = ("--data-dir", str(settings.data_dir))
    return (sys.executable, "-m", "famichat", "serve", *listen, *data_dir, "--json", "--worker", str(worker_id))
