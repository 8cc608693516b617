"""HTTP client for push services. It connects only to public addresses over HTTPS, within a time limit.

    response = await client.post(subscription, payload)

The host name is resolved once and the connection uses the address that was checked, so DNS rebinding cannot redirect
it. Redirects are not followed, and only the response status is read.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from famichat.push.public_ip import ForbiddenAddress, resolve
from famichat.push.response import PushResponse
from famichat.push.subscription import Subscription, check_endpoint
from famichat.push.vapid import Vapid

if TYPE_CHECKING:
    from famichat.push.transport import PushTransport

PATIENCE_SECONDS = 10.0
_TTL_SECONDS = 24 * 60 * 60
_PORTS = {"https": 443, "http": 80}
_LOOKUPS = 32
_WINDOWS = ".notify.windows.com"


class PushClient:
    """Sends notifications to push services.

    Args:
        vapid: authorises the requests.
        allow_private: allow plain HTTP and private addresses, for a self-hosted push service.
        patience: time limit for a whole request, in seconds.
    """

    def __init__(self, vapid: Vapid, *, allow_private: bool = False, patience: float = PATIENCE_SECONDS) -> None:
        self._vapid = vapid
        self._allow_private = allow_private
        self._patience = patience
        # Not the default executor, which uploads use: slow name servers must not delay them. A lookup that timed out
        # still occupies its thread, so there are more threads than slots for requests.
        self._lookups = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="push-dns")
        self._transport: PushTransport | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the client."""
        if self._transport is not None:
            await self._transport.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def post(self, subscription: Subscription, payload: bytes, topic: str | None = None) -> PushResponse:
        """Send a notification to a device. Failures are returned, not raised.

        Args:
            subscription: the device's subscription.
            payload: plaintext, encrypted for the browser; at most 3000 bytes.
            topic: replaces a queued notification with the same topic (RFC 8030, section 5.4).
        """
        transport = await self._opened()
        try:
            async with asyncio.timeout(self._patience):
                return await self._post(transport, subscription, payload, topic)
        except (ForbiddenAddress, ValueError):
            return PushResponse("forbidden_address")
        except OSError:  # a timeout is an OSError too
            return PushResponse("unreachable")

    async def _opened(self) -> "PushTransport":
        async with self._opening:
            if self._transport is None:
                # In a thread, because the import and the certificates of the system take 0.4 seconds.
                self._transport = await asyncio.to_thread(_open_transport, self._patience)
            return self._transport

    async def _post(
        self, transport: "PushTransport", subscription: Subscription, payload: bytes, topic: str | None
    ) -> PushResponse:
        parts = check_endpoint(subscription.endpoint)
        if parts.scheme != "https" and not self._allow_private:
            raise ForbiddenAddress
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        address = await resolve(host, port, executor=self._lookups, allow_private=self._allow_private)
        headers = self._headers(subscription.endpoint, parts.netloc, topic)
        return await transport.send(subscription, address, headers, payload)

    def _headers(self, endpoint: str, netloc: str, topic: str | None) -> dict[str, str]:
        headers = {
            "host": netloc,
            "authorization": self._vapid.authorization(endpoint),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(_TTL_SECONDS),
            "urgency": "high",  # lower urgencies wait until a sleeping phone wakes up
        }
        if topic is not None:
            headers["topic"] = topic
        if netloc.endswith(_WINDOWS):
            headers["x-wns-type"] = "wns/raw"
        return headers


def _open_transport(patience: float) -> "PushTransport":
    from famichat.push.transport import PushTransport  # noqa: PLC0415 - a large library for the first request

    return PushTransport(patience)
