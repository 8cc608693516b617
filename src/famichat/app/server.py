"""Runs the server: opens the socket, builds everything, serves until a signal arrives, and closes it in order."""

import asyncio
import gc
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import uvloop

from famichat.app.context import build_context
from famichat.app.http_server import HttpServer, bound_socket, build_config, url_of
from famichat.app.lifecycle import Lifecycle
from famichat.app.node_registry import NodeRegistry
from famichat.app.open_files import raise_limit, transport_limits
from famichat.app.reachable import reachable_urls
from famichat.app.realtime_telemetry import forward_realtime_events
from famichat.app.service_manager import ServiceManager
from famichat.app.services import start_services
from famichat.app.worker_socket import Siblings, WorkerId, WorkerSocket
from famichat.endpoint.admin.methods import OperatorMethods
from famichat.endpoint.admin.server import AdminServer
from famichat.endpoint.channels.user_socket import UserSocket
from famichat.endpoint.http.app import build_http
from famichat.endpoint.http.context import Context
from famichat.endpoint.http.server_protocol import http_protocol
from famichat.realtime.transport.byte_budget import ByteBudget
from famichat.realtime.transport.endpoint import Endpoint
from famichat.realtime.transport.limits import Limits
from famichat.realtime.transport.longpoll import LongPoll
from famichat.realtime.transport.upgrade_required import UpgradeRequired
from famichat.settings import Settings
from famichat.storage.data_dir import DataDir
from famichat.telemetry import attach, emit, events
from famichat.telemetry.log import configure_logging, log_event
from famichat.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Ready:
    """A server that accepts connections.

    Attributes:
        url: the address it listens on.
        addresses: the URLs to open: the configured one, otherwise those at which other devices reach the server.
        setup_code: creates the first user; None if there are users already.
    """

    url: str
    addresses: tuple[str, ...]
    setup_code: str | None


def run(settings: Settings, on_ready: Callable[[Ready], None], worker: WorkerId | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then drain and return. Configures logging for the process.

    Args:
        settings: what the operator configured.
        on_ready: called once, when clients can connect.
        worker: which of several workers this process is; see `workers`.

    Raises:
        OSError: the address is in use, or the data directory cannot be used.
        DirectoryInUse: another process uses the data directory.
        SecretsDamaged, SecretsMissing, WrongVaultKeys: the keys that the data was encrypted with are lost.
        DatabaseUnusable: the database cannot be used, or is not the one of this data directory.
        NewerDatabaseError: a newer Famichat has migrated the database.
        StorageUnavailable: the database does not answer.
    """
    raise_limit()
    configure_logging(settings.log_level, settings.log_format)
    attach(log_event)
    forward_realtime_events()

    def report_ready(ready: Ready) -> None:
        # What exists now lives as long as the process. To scan it in each collection would pause the event loop.
        gc.freeze()
        on_ready(ready)
        if os.geteuid() == 0:
            emit(events.StartedAsRoot())

    async def serve_until_signal() -> None:
        stop = asyncio.Event()
        handle_stop_signals(stop)
        if worker is not None:  # standard input ends when the parent does
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
        await serve(settings, report_ready, stop, worker)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_until_signal())


def handle_stop_signals(stop: asyncio.Event) -> None:
    """Set an event on SIGINT and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def serve(
    settings: Settings, on_ready: Callable[[Ready], None], stop: asyncio.Event, worker: WorkerId | None = None
) -> None:
    """Build everything, serve until `stop` is set, and close everything; see `run`.

    At the end, `HttpServer` first drains the connections: it stores the messages under way and closes with a code after
    which clients reconnect. Then `Lifecycle` stops the background tasks and closes the resources, in reverse order.
    """
    locked = DataDir(settings.data_dir).lock() if worker is None else nullcontext()  # the parent has locked it
    with bound_socket(settings.host, settings.port, shared=worker is not None) as listener, locked:
        async with Lifecycle() as lifecycle:
            bound = settings.model_copy(update={"port": listener.getsockname()[1]})
            await _serve_on(listener, bound, on_ready, stop, lifecycle, worker)


async def _serve_on(
    listener: socket.socket,
    settings: Settings,
    on_ready: Callable[[Ready], None],
    stop: asyncio.Event,
    lifecycle: Lifecycle,
    worker: WorkerId | None,
) -> None:
    manager = ServiceManager.of(os.environ if worker is None else {})  # the parent reports for all workers
    lifecycle.start("watchdog", manager.watch)
    metrics = Metrics()
    lifecycle.on_stop(attach(metrics.record))
    siblings = None if worker is None else Siblings(settings.data_dir, worker, metrics)
    services = await start_services(settings, lifecycle, metrics)
    nodes = NodeRegistry(services.database, lambda: services.pubsub.hearing, lambda: longpoll.misrouted)
    context = build_context(
        settings,
        services,
        metrics,
        None if siblings is None else siblings.metrics,
        is_isolated=lambda: nodes.is_isolated,
    )
    limits = transport_limits(settings)
    byte_budget = ByteBudget()
    endpoint = _endpoint(settings, context, limits, byte_budget)
    metrics.gauge("famichat_connections", "Open connections of clients", lambda: endpoint.connections)
    node = secrets.token_hex(4) if settings.effective_pubsub_url is not None else ""
    longpoll = LongPoll(endpoint, node) if worker is None else LongPoll(endpoint, worker.node, siblings)
    http = build_http(context, longpoll, UpgradeRequired(endpoint), byte_budget)
    protocol = http_protocol(
        context.proxies,
        byte_budget,
        per_address_limit=limits.max_per_address,
        max_connections=limits.max_connections,
    )
    if worker is None or worker.number == 1:
        await _open(AdminServer(settings.data_dir, OperatorMethods(context, lambda: endpoint.connections)), lifecycle)
    if worker is not None:
        await _open(WorkerSocket(settings.data_dir, worker, metrics, longpoll), lifecycle)
    addresses = settings.origins or reachable_urls(settings.host, settings.port)
    ready = Ready(url_of(listener, settings.host), addresses, context.setup_code)

    def report_ready() -> None:
        on_ready(ready)
        manager.ready(f"Running at {addresses[0]}")

    await nodes.start(lifecycle)
    server = HttpServer(build_config(http, protocol, endpoint), endpoint, report_ready, nodes)

    async def stop_when_asked() -> None:
        await stop.wait()
        manager.stopping()
        server.stop()

    lifecycle.start("stop signal", stop_when_asked)
    await server.serve(sockets=[listener])


def _endpoint(settings: Settings, context: Context, limits: Limits, byte_budget: ByteBudget) -> Endpoint:
    return Endpoint(
        UserSocket(context),
        context.pubsub,
        limits=limits,
        check_origin=settings.origins or "conn",
        byte_budget=byte_budget,
        address_of=lambda request: context.proxies.address(request.peer, request.headers.get("x-forwarded-for", "")),
    )


async def _open(local: AdminServer | WorkerSocket, lifecycle: Lifecycle) -> None:
    await local.open()
    lifecycle.on_stop_await(local.close)
