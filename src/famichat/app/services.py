"""Builds the services that actions use, for the server and for the operator's commands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

from famichat.accounts.sign_in.token import Tokens
from famichat.actions.events.removed_access import LEASE_SECONDS
from famichat.actions.rate_limit import RateLimits, SharedBuckets
from famichat.actions.services import Services
from famichat.app.backups import ScheduledBackups
from famichat.app.delivery import build_delivery, build_pubsub
from famichat.app.environment.monitor import EnvironmentMonitor
from famichat.app.lifecycle import Lifecycle
from famichat.app.persistence import Persistence, open_persistence
from famichat.app.reachable import WILDCARDS, reachable_urls
from famichat.app.tracing import build_tracing
from famichat.attachments.avatars import AvatarMaker
from famichat.attachments.files import Files
from famichat.attachments.quota import Quota
from famichat.attachments.signed_url import SignedUrls
from famichat.attachments.sweep import Sweep
from famichat.attachments.uploads import Uploads
from famichat.chat.families.family import needs_setup
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.change import ChangeServices
from famichat.chat.messages.change_writer import ChangeWriter
from famichat.chat.messages.receipt_writer import ReceiptWriter
from famichat.chat.messages.send import SendPath
from famichat.mail.mailer import Mailer
from famichat.mail.smtp import SmtpServer
from famichat.realtime.lease import Lease
from famichat.realtime.pubsub import PubSub
from famichat.settings import Settings
from famichat.storage.backup.encryption import check_recipient
from famichat.storage.damage_check import DamageCheck
from famichat.storage.database import Database
from famichat.storage.database_check import DatabaseCheck
from famichat.storage.epoch import database_id
from famichat.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from famichat.accounts.sign_in.webauthn import WebAuthn

_MEGABYTE = 1024 * 1024


@asynccontextmanager
async def build_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the data and build every service on it; on exit, store all queued items and close everything.

    Needs no listening socket. An operator's command calls actions with the services, as the server does:

        async with build_services(settings) as services:
            await rename_family(services, ...)

    Takes no lock on the data directory. On SQLite the caller holds `DataDir.lock()`, because only one process may
    write; on PostgreSQL other processes may run at the same time, and a broker carries broadcasts to their clients.

    Args:
        settings: the process's settings.

    Raises:
        SecretsDamaged, SecretsMissing, WrongVaultKeys: the keys that the data was encrypted with are lost.
        DatabaseUnusable: the database cannot be used, or is not the one of this data directory.
        NewerDatabaseError: a newer Famichat has migrated the database.
        StorageUnavailable: the database does not answer.
    """
    async with Lifecycle() as lifecycle:
        yield await start_services(settings, lifecycle, Metrics(), background=False)


async def start_services(
    settings: Settings, lifecycle: Lifecycle, metrics: Metrics, *, background: bool = True
) -> Services:
    """Open the data and build every service on it; see `build_services`.

    Args:
        settings: the process's settings.
        lifecycle: runs the background tasks, drains the write queues and closes the database, in reverse order.
        metrics: where the services register their gauges.
        background: whether to run the periodic tasks of a server: sweep, check for damage, key rotation, head
            broadcasts, presence and the reader of removed access.
    """
    lease = Lease(LEASE_SECONDS) if background else None
    data = await open_persistence(settings, lifecycle, background=background)
    pubsub = await build_pubsub(settings, data, lifecycle, lease)
    _measure(pubsub, lease, metrics)
    journal = Journal(data.database)
    lifecycle.on_stop_await(journal.close)
    metrics.gauge("famichat_journal_depth", "Messages waiting for the next commit", lambda: journal.depth)
    changes = ChangeWriter(data.database, ChangeServices(data.vault, data.policies))
    lifecycle.on_stop_await(changes.close)
    files = Files(settings.effective_files_dir)
    quota = Quota(settings.quota_mb * _MEGABYTE, settings.max_file_mb * _MEGABYTE)
    uploads = Uploads(data.database, data.vault, files, quota, data.policies)
    lifecycle.on_stop_in_thread(uploads.close)
    database_check = DatabaseCheck(data.database)
    if background:
        await asyncio.to_thread(files.claim, await data.database.read(database_id))
        lifecycle.start("database check", database_check.run)
        _start_checks(settings, data, files, lifecycle, metrics)
    receipts = ReceiptWriter(data.database)
    lifecycle.on_stop_await(receipts.close)
    delivery = await build_delivery(settings, data, pubsub, lifecycle, lease)
    pushes = delivery.push_notifier
    metrics.gauge("famichat_pushes_waiting", "Messages and devices in line to be rung", lambda: pushes.waiting)
    mailer = _start_mailer(settings, lifecycle)
    avatar_maker = AvatarMaker()
    lifecycle.on_stop_in_thread(avatar_maker.close)
    return Services(
        database=data.database,
        database_check=database_check,
        vault=data.vault,
        index=data.index,
        tokens=Tokens(data.secret_key),
        webauthn=_webauthn(settings.effective_public_url, data.secret_key),
        policies=data.policies,
        send_path=SendPath(journal, data.vault, data.index, data.policies),
        changes=changes,
        receipts=receipts,
        uploads=uploads,
        files=files,
        avatar_maker=avatar_maker,
        signed_urls=SignedUrls(data.secret_key),
        pubsub=pubsub,
        presence=delivery.presence,
        broadcasts=delivery.broadcasts,
        feeds=delivery.feeds,
        push_notifier=pushes,
        push_key=delivery.push_key,
        rate_limits=RateLimits(enabled=settings.rate_limits == "on", shared=_shared_buckets(data)),
        tracing=build_tracing(settings, data.index, lifecycle),
        setup_code=await _setup_code(data),
        public_url=_url_for_links(settings),
        data_dir=data.data_dir,
        makes_backups=settings.backup_schedule == "daily",
        mailer=mailer,
    )


def _url_for_links(settings: Settings) -> str:
    """Return the URL of invitations and reset links: without a configured one, one that other devices can open."""
    if settings.public_url is None and settings.host in WILDCARDS:
        return reachable_urls(settings.host, settings.port)[0]
    return settings.effective_public_url


def _measure(pubsub: PubSub, lease: Lease | None, metrics: Metrics) -> None:
    if lease is not None:
        metrics.gauge("famichat_lease_age_seconds", "Seconds since removed access was last read", lambda: lease.age)
    metrics.gauge("famichat_hearing", "Whether messages of other nodes arrive, 1 or 0", lambda: pubsub.hearing)


def _start_checks(settings: Settings, data: Persistence, files: Files, lifecycle: Lifecycle, metrics: Metrics) -> None:
    """Start the periodic tasks that look after the data: sweep, check for damage, backups, and the environment."""
    lifecycle.start("sweep", Sweep(data.database, files).run)
    _start_damage_check(data.database, lifecycle, metrics)
    _start_backups(settings, data.database, lifecycle, metrics)
    monitor = EnvironmentMonitor(settings, data.database, data.vault)
    lifecycle.start("environment checks", monitor.run)
    monitor.measure(metrics)


def _start_damage_check(database: Database, lifecycle: Lifecycle, metrics: Metrics) -> None:
    if database.file is not None:
        check = DamageCheck(database, database.file)
        lifecycle.start("check for damage", check.run)
        metrics.gauge(
            "famichat_database_damaged_places", "Damage found by the last check of the database", lambda: check.places
        )


def _start_backups(settings: Settings, database: Database, lifecycle: Lifecycle, metrics: Metrics) -> None:
    if settings.backup_recipient is not None:
        check_recipient(settings.backup_recipient)
    backups = ScheduledBackups(settings, database)
    lifecycle.start("backups", backups.run)
    metrics.gauge(
        "famichat_backup_last_success_timestamp_seconds",
        "When the last backup was made; without one, when the database was created",
        lambda: backups.last_made,
    )
    metrics.gauge(
        "famichat_backup_last_verified_timestamp_seconds",
        "When a backup was last verified; without one, when the database was created",
        lambda: backups.last_verified,
    )


def _start_mailer(settings: Settings, lifecycle: Lifecycle) -> Mailer | None:
    if settings.smtp_url is None:
        return None
    mailer = Mailer(SmtpServer.parse(settings.smtp_url, settings.effective_smtp_from), settings.app_name)
    lifecycle.on_stop(mailer.close)
    lifecycle.start("e-mail", mailer.run)
    return mailer


def _webauthn(public_url: str, secret_key: str) -> "Callable[[], Awaitable[WebAuthn]]":
    @cache
    def build() -> "WebAuthn":
        from famichat.accounts.sign_in.webauthn import WebAuthn  # noqa: PLC0415 - a large library for passkeys only

        return WebAuthn(public_url, secret_key)

    return partial(asyncio.to_thread, build)  # in a thread, because the import takes 0.1 seconds


def _shared_buckets(data: Persistence) -> SharedBuckets | None:
    """Return the buckets in the database, if several nodes can use it."""
    return SharedBuckets(data.database, data.index) if data.database.dialect == "postgresql" else None


async def _setup_code(data: Persistence) -> str | None:
    """Return a code to create the first user with: 40 bits, in unambiguous letters and digits.

    It is derived from the secret key and the id of the database, so that all nodes accept the same code.
    """
    if not await data.database.read(needs_setup):
        return None
    alphabet = "ABCDEFGHJKMNPQRSTVWXYZ0123456789"
    digest = data.index.digest("setup code", await data.database.read(database_id))
    letters = "".join(alphabet[byte % len(alphabet)] for byte in digest[:8])
    return f"{letters[:4]}-{letters[4:]}"
