"""Checks whether the push services of the subscribed devices can be reached."""

import asyncio
import ssl
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.app.environment.check import Check
from famichat.push.public_ip import ForbiddenAddress, resolve
from famichat.push.subscription import PushSubscription, opened
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError

_MOST_SUBSCRIPTIONS, _MOST_SERVICES = 500, 8
_SECONDS = 5.0
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class PushReport:
    """The answers of the push services.

    Attributes:
        reached: the host names of those that answered.
        unreachable: the host names of the others.
        offset: how many seconds the clock of this machine is ahead of theirs (the median); None without an answer.
    """

    reached: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    offset: float | None = None

    @property
    def check(self) -> Check:
        """The report as a check."""
        if self.unreachable:
            hosts = ", ".join(self.unreachable)
            return Check("push services", Check.BAD, f"{hosts} not reachable; allow outgoing HTTPS to these hosts")
        if not self.reached:
            return Check("push services", Check.OK, "not needed: no device has turned on notifications")
        return Check("push services", Check.OK, f"reachable: {', '.join(self.reached)}")


def push_origins(session: Session, vault: Vault) -> tuple[str, ...]:
    """Return the origins of the push services that the newest subscriptions use, without paths, which are secret."""
    newest = select(PushSubscription).order_by(PushSubscription.created_at.desc()).limit(_MOST_SUBSCRIPTIONS)
    origins: dict[str, None] = {}
    for record in session.scalars(newest):
        with suppress(UnsealError):  # another check reports damaged values
            parts = urlsplit(opened(record, vault).endpoint)
            origins[f"{parts.scheme}://{parts.netloc}"] = None
    return tuple(origins)[:_MOST_SERVICES]


async def reach_push_services(origins: Iterable[str], *, allow_private: bool) -> PushReport:
    """Send one request to each push service; any answer will do.

    Args:
        origins: of the services. Users choose them, so the rules for addresses apply as they do to notifications.
        allow_private: accept plain HTTP and private addresses.
    """
    hosts = tuple(origins)
    if not hosts:
        return PushReport()
    context = await asyncio.to_thread(ssl.create_default_context)
    with ThreadPoolExecutor(_MOST_SERVICES, thread_name_prefix="push-dns") as lookups:
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=_SECONDS) as http:
            asked = [_offset(http, origin, lookups, allow_private=allow_private) for origin in hosts]
            offsets = await asyncio.gather(*asked, return_exceptions=True)
    names = [urlsplit(origin).hostname or "" for origin in hosts]
    answers = dict(zip(names, offsets, strict=True))
    measured = sorted(offset for offset in offsets if isinstance(offset, float))
    return PushReport(
        tuple(name for name, answer in answers.items() if not isinstance(answer, BaseException)),
        tuple(name for name, answer in answers.items() if isinstance(answer, BaseException)),
        measured[len(measured) // 2] if measured else None,
    )


async def _offset(
    http: httpx.AsyncClient, origin: str, lookups: ThreadPoolExecutor, *, allow_private: bool
) -> float | None:
    """Ask a push service; return how many seconds this clock is ahead of it, or None if it does not say its time."""
    parts = urlsplit(origin)
    if parts.scheme != "https" and not allow_private:
        raise ForbiddenAddress
    host = parts.hostname or ""
    async with asyncio.timeout(_SECONDS):
        port = parts.port or _PORTS[parts.scheme]
        address = await resolve(host, port, executor=lookups, allow_private=allow_private)
        # Connect to the address that was checked; verify the certificate against the name.
        request = http.build_request(
            "HEAD",
            httpx.URL(origin).copy_with(host=str(address)),
            headers={"host": parts.netloc},
            extensions={"sni_hostname": host},
        )
        answer = await http.send(request)
    with suppress(ValueError):
        # The header has no fraction of a second, so add half of one.
        return time.time() - parsedate_to_datetime(answer.headers.get("date", "")).timestamp() - 0.5
    return None
