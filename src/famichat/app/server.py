"""The composition root: builds every part of a server, starts them in order, and stops them in the reverse order."""

import asyncio
import gc
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace

import uvicorn
import uvloop

from famichat.accounts.sign_in.token import Tokens
from famichat.accounts.sign_in.webauthn import WebAuthn
from famichat.actions.broadcasts import Broadcasts
from famichat.actions.head_broadcaster import HeadBroadcaster
from famichat.actions.rate_limit import RateLimits
from famichat.actions.recent_removals import RecentRemovals
from famichat.actions.topics import connections_of_device
from famichat.actions.unread import UnreadCounts
from famichat.attachments.avatars import AvatarMaker
from famichat.attachments.files import Files
from famichat.attachments.quota import Quota
from famichat.attachments.signed_url import SignedUrls
from famichat.attachments.sweep import Sweep
from famichat.attachments.uploads import Uploads
from famichat.chat.account_deletion import delete_orphans
from famichat.chat.encryption_policy import EncryptionPolicies, remember_required
from famichat.chat.families.family import needs_setup
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.change import ChangeServices as ChangeGround
from famichat.chat.messages.change_writer import ChangeWriter
from famichat.chat.messages.receipt_writer import ReceiptWriter
from famichat.chat.messages.send import SendPath
from famichat.endpoint.channels.user_socket import UserSocket
from famichat.endpoint.http.app import build_http
from famichat.endpoint.http.context import Context
from famichat.endpoint.http.proxies import Proxies
from famichat.endpoint.http.server_protocol import HttpProtocol, http_protocol
from famichat.endpoint.pages.brand import Brand
from famichat.push.client import PushClient
from famichat.push.notifier import PushNotifier, PushServices
from famichat.push.online_devices import OnlineDevices
from famichat.push.vapid import Vapid
from famichat.realtime.presence import Presence
from famichat.realtime.pubsub import PubSub
from famichat.realtime.redis_broker import RedisBroker
from famichat.realtime.transport.endpoint import Endpoint
from famichat.realtime.transport.limits import Limits
from famichat.realtime.transport.longpoll import LongPoll, UpgradeRequired
from famichat.realtime.transport.websocket import websocket_protocol
from famichat.settings import Settings
from famichat.storage.crypto.key_rotation import KeyRotation
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.crypto.vault_keys import settle
from famichat.storage.data_dir import DataDir, Secrets
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from famichat.telemetry import attach, emit, events
from famichat.telemetry.log import configure_logging, log_event
from famichat.telemetry.metrics import Metrics
from famichat.telemetry.tracing import Tracing

# The largest frame that can be right: a body of 64 KiB, every character of it escaped, and what comes with it.
LIMITS = Limits(max_frame_bytes=1024 * 1024)
_GRACE_SECONDS = 10
# Longer than clients and reverse proxies keep an idle connection (nginx: 60): whoever closes first must not be the
# server, or a request that is just being sent is lost.
_IDLE_SECONDS = 75
_PSEUDONYM_LETTERS = 32
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ready:
    """What a server says once people can come.

    Attributes:
        url: the address it listens on.
        setup_code: lets the first person in; None when somebody is there already.
    """

    url: str
    setup_code: str | None


def run(settings: Settings, on_ready: Callable[[Ready], None]) -> None:
    """Serve until SIGINT or SIGTERM, then drain and return; write a log meanwhile.

    Args:
        settings: what the operator chose.
        on_ready: called once, when clients can connect.

    Raises:
        OSError: the address is taken, or the data directory cannot be used.
        DirectoryInUse: another process works in the data directory.
        SecretsDamaged, SecretsMissing, WrongVaultKeys: what the database was sealed with is lost.
        NewerDatabaseError: the database is of a newer Famichat.
        StorageUnavailable: the database does not answer.
    """
    configure_logging(settings.log_level, settings.log_format)
    attach(log_event)

    def ready(told: Ready) -> None:
        gc.freeze()  # what is there now stays: to look through it for garbage would stop everything for a moment
        on_ready(told)
        if os.geteuid() == 0:
            emit(events.StartedAsRoot())

    async def until_a_signal() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await serve(settings, ready, stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_a_signal())


async def serve(settings: Settings, on_ready: Callable[[Ready], None], stop: asyncio.Event) -> None:
    """Build everything, serve until `stop` is set, and take everything down again; see `run`."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(settings.host, settings.port))
        address = settings.model_copy(update={"port": listener.getsockname()[1]})
        data_dir = DataDir(settings.data_dir)
        stack.enter_context(data_dir.lock())
        keys = data_dir.secrets(settings.secret_key, settings.vault_keys)
        metrics = Metrics()
        stack.callback(attach(metrics.record))
        database = Database(settings.effective_database_url)
        stack.callback(database.close)
        await asyncio.to_thread(upgrade, database)
        pubsub = PubSub(await _broker(settings, stack))
        context = await _context(address, keys, database, pubsub, metrics, stack)
        origins = [settings.public_url] if settings.public_url else "conn"
        endpoint = Endpoint(
            UserSocket(context),
            pubsub,
            limits=replace(LIMITS, max_per_address=settings.connections_per_address),
            check_origin=origins,
            address_of=lambda asked: context.proxies.address(asked.peer, asked.headers.get("x-forwarded-for", "")),
        )
        metrics.gauge("famichat_connections", "Open connections of clients", lambda: endpoint.connections)
        http = build_http(context, LongPoll(endpoint), UpgradeRequired(endpoint))
        lines = http_protocol(context.proxies, settings.connections_per_address)
        server = _Server(_config(http, lines, endpoint), endpoint)
        server.on_started = lambda: on_ready(Ready(_url(listener, settings.host), context.setup_code))
        stopping = asyncio.create_task(stop.wait(), name="stop")
        stack.callback(stopping.cancel)
        stopping.add_done_callback(lambda _: server.stop())
        await server.serve(sockets=[listener])


async def _context(
    settings: Settings, keys: Secrets, database: Database, pubsub: PubSub, metrics: Metrics, stack: AsyncExitStack
) -> Context:
    kept = None if settings.vault_keys else DataDir(settings.data_dir).kept_vault_keys
    vault, index = Vault(keys.vault_keys, kept), BlindIndex(keys.secret_key)
    policies = EncryptionPolicies(settings.encryption_policies)
    await database.transaction(lambda session: remember_required(session, policies))
    await _keep(vault, database, kept, stack)
    while await database.transaction(delete_orphans):
        pass
    journal = _journal(database, metrics, stack)
    changes = ChangeWriter(database, ChangeGround(vault, policies))
    stack.push_async_callback(changes.close)
    files = Files(settings.effective_files_dir)
    uploads = Uploads(database, vault, files, _quota(settings), policies)
    stack.push_async_callback(asyncio.to_thread, uploads.close)
    _sweep(database, files, stack)
    receipts = ReceiptWriter(database)
    stack.push_async_callback(receipts.close)
    departures = RecentRemovals()
    unread = UnreadCounts(database, pubsub, departures)
    stack.push_async_callback(unread.stop)
    vapid = Vapid(keys.secret_key, contact=settings.public_url if _is_https(settings) else None)
    client = PushClient(vapid, allow_private=settings.push_private_addresses)
    push_notifier = _pushes(PushServices(database, vault, index, policies), client, pubsub, metrics, stack)
    heads = HeadBroadcaster(database, pubsub)
    stack.push_async_callback(heads.stop)
    heads.start()
    presence = Presence(pubsub)
    stack.push_async_callback(presence.stop)
    await presence.start()
    return Context(
        database=database,
        vault=vault,
        index=index,
        tokens=Tokens(keys.secret_key),
        webauthn=WebAuthn(settings.effective_public_url, keys.secret_key),
        policies=policies,
        send_path=SendPath(journal, vault, index, policies),
        changes=changes,
        receipts=receipts,
        uploads=uploads,
        files=files,
        avatar_maker=_portraits(stack),
        signed_urls=SignedUrls(keys.secret_key),
        pubsub=pubsub,
        presence=presence,
        broadcasts=Broadcasts(pubsub, unread, departures, push_notifier),
        push_notifier=push_notifier,
        push_key=vapid.public_key,
        rate_limits=RateLimits(enabled=settings.rate_limits == "on"),
        proxies=Proxies(settings.trusted_proxies),
        metrics=metrics,
        tracing=_tracing(settings, index, stack),
        setup_code=_setup_code() if await database.read(needs_setup) else None,
        public_url=settings.effective_public_url,
        test_endpoints=settings.test_endpoints,
        metrics_token=settings.metrics_token,
        data_dir=DataDir(settings.data_dir),
        brand=_brand(settings),
    )


def _journal(database: Database, metrics: Metrics, stack: AsyncExitStack) -> Journal:
    journal = Journal(database)
    stack.push_async_callback(journal.close)
    metrics.gauge("famichat_journal_depth", "Messages waiting for the next commit", lambda: journal.depth)
    return journal


def _sweep(database: Database, files: Files, stack: AsyncExitStack) -> None:
    sweep = Sweep(database, files)
    stack.push_async_callback(sweep.stop)
    sweep.start()


def _portraits(stack: AsyncExitStack) -> AvatarMaker:
    avatar_maker = AvatarMaker()
    stack.push_async_callback(asyncio.to_thread, avatar_maker.close)
    return avatar_maker


def _pushes(
    ground: PushServices, client: PushClient, pubsub: PubSub, metrics: Metrics, stack: AsyncExitStack
) -> PushNotifier:
    push_notifier = PushNotifier(ground, client, OnlineDevices(pubsub, connections_of_device))
    stack.push_async_callback(push_notifier.stop)
    metrics.gauge("famichat_pushes_waiting", "Messages and devices in line to be rung", lambda: push_notifier.waiting)
    return push_notifier


def _quota(settings: Settings) -> Quota:
    return Quota(settings.quota_mb * _MEGABYTE, settings.max_file_mb * _MEGABYTE)


async def _keep(
    vault: Vault, database: Database, kept: Callable[[], Mapping[int, bytes]] | None, stack: AsyncExitStack
) -> None:
    """Compare the keys with those that the database knows, and look after them from now on."""
    keys, only_server = vault.keys, database.dialect == "sqlite"
    version = await database.transaction(lambda session: settle(session, keys, use_newest=only_server))
    vault.seal_with(version)
    keeper = KeyRotation(database, vault, kept)
    stack.push_async_callback(keeper.stop)
    keeper.start()


def _brand(settings: Settings) -> Brand:
    if settings.app_logo is None:
        return Brand(settings.app_name, settings.app_color)
    logo = settings.app_logo.read_bytes()
    if b"<svg" in logo:
        return Brand(settings.app_name, settings.app_color, logo)
    from famichat.endpoint.pages.icons import icons  # noqa: PLC0415 - a large library, for those who chose a picture

    return Brand(settings.app_name, settings.app_color, logo, icons(logo))


def _tracing(settings: Settings, index: BlindIndex, stack: AsyncExitStack) -> Tracing | None:
    if settings.otlp_endpoint is None:
        return None
    from famichat.telemetry.otlp import Collector  # noqa: PLC0415 - a large library, for those who want it only

    collector = Collector(settings.otlp_endpoint)
    stack.push_async_callback(asyncio.to_thread, collector.close)
    if settings.telemetry_ids == "plain":
        return collector.tracing(str)
    return collector.tracing(lambda id_: index.digest("telemetry", id_).hex()[:_PSEUDONYM_LETTERS])


def _is_https(settings: Settings) -> bool:
    return settings.effective_public_url.startswith("https://")


async def _broker(settings: Settings, stack: AsyncExitStack) -> RedisBroker | None:
    if settings.pubsub_url is None:
        return None
    broker = RedisBroker(settings.pubsub_url)
    stack.push_async_callback(broker.stop)
    await broker.start()
    return broker


class _Server(uvicorn.Server):
    """uvicorn, which leaves the signals to `run`, so that everything is closed in order before the process ends."""

    def __init__(self, config: uvicorn.Config, endpoint: Endpoint) -> None:
        super().__init__(config)
        self._endpoint = endpoint
        self.on_started: Callable[[], None] = lambda: None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def stop(self) -> None:
        """Begin to stop."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, and say so."""
        await super().startup(sockets)
        if self.started:
            self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Send clients away with 1012, let what they sent be stored, and stop."""
        await self._endpoint.stop()
        await super().shutdown(sockets)


def _config(http: object, lines: type[HttpProtocol], endpoint: Endpoint) -> uvicorn.Config:
    return uvicorn.Config(
        http,  # type: ignore[arg-type]  # uvicorn's ASGI types are stricter than the specification
        ws=websocket_protocol(endpoint),
        http=lines,
        lifespan="off",
        log_config=None,
        access_log=False,  # a request line may carry a token
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol by name: asyncio sets TCP_NODELAY only on sockets that say they are TCP.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        yield listener


def _url(listener: socket.socket, host: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


def _setup_code() -> str:
    """A code to read aloud: 40 bits, in letters and digits that cannot be confused."""
    alphabet = "ABCDEFGHJKMNPQRSTVWXYZ0123456789"
    letters = "".join(secrets.choice(alphabet) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"
