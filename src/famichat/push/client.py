"""HTTP client for push services. It connects only to public addresses over HTTPS, within a time limit.

    response = await client.post(subscription, payload)

The host name is resolved once and the connection uses the address that was checked, so DNS rebinding cannot redirect
it. Redirects are not followed, and only the response status is read.
"""

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import http_ece  # type: ignore[import-untyped]  # has no types
import httpx
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from famichat.push.public_ip import ForbiddenAddress, resolve
from famichat.push.subscription import Subscription, check_endpoint
from famichat.push.vapid import Vapid

Outcome = Literal["sent", "gone", "busy", "refused", "unreachable", "forbidden_address"]
PATIENCE_SECONDS = 10.0
_TTL_SECONDS = 24 * 60 * 60
_BLOCK = 256
_MAX_RETRY_AFTER = 300.0
_PORTS = {"https": 443, "http": 80}
_LOOKUPS = 32
_WINDOWS = ".notify.windows.com"


@dataclass(frozen=True, slots=True)
class PushResponse:
    """Result of a push request.

    Attributes:
        outcome: `sent`: accepted by the service; `gone`: the subscription has expired; `busy`, `unreachable`: worth a
            retry; `refused`, `forbidden_address`: permanent failure.
        status: HTTP status, or None if there was no response.
        retry_after: seconds to wait before a retry, as requested by the service.
    """

    outcome: Outcome
    status: int | None = None
    retry_after: float = 0.0

    @property
    def may_work_later(self) -> bool:
        """Whether a retry may succeed."""
        return self.outcome in {"busy", "unreachable"}


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
        # No keep-alive: pooled connections are keyed by address, and another host may share that address.
        self._http = httpx.AsyncClient(
            verify=ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=patience,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Close the client."""
        await self._http.aclose()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def post(self, subscription: Subscription, payload: bytes, topic: str | None = None) -> PushResponse:
        """Send a notification to a device. Failures are returned, not raised.

        Args:
            subscription: the device's subscription.
            payload: plaintext, encrypted for the browser; at most 3000 bytes.
            topic: replaces a queued notification with the same topic (RFC 8030, section 5.4).
        """
        try:
            async with asyncio.timeout(self._patience):
                return await self._post(subscription, payload, topic)
        except (ForbiddenAddress, ValueError, httpx.InvalidURL):
            return PushResponse("forbidden_address")
        except (OSError, httpx.HTTPError):  # a timeout is an OSError too
            return PushResponse("unreachable")

    async def _post(self, subscription: Subscription, payload: bytes, topic: str | None) -> PushResponse:
        parts = check_endpoint(subscription.endpoint)
        if parts.scheme != "https" and not self._allow_private:
            raise ForbiddenAddress
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        address = await resolve(host, port, executor=self._lookups, allow_private=self._allow_private)
        url = httpx.URL(subscription.endpoint).copy_with(host=str(address))
        request = self._http.build_request(
            "POST",
            url,
            content=encrypt(subscription, payload),
            headers=self._headers(subscription.endpoint, parts.netloc, topic),
            extensions={"sni_hostname": host},  # verify the certificate against the host name, not the address
        )
        answer = await self._http.send(request, stream=True)
        await answer.aclose()  # do not read the body, which may be endless
        return _judged(answer)

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


def encrypt(subscription: Subscription, payload: bytes) -> bytes:
    """Encrypt a payload for the subscribed browser (RFC 8291), padded to hide its exact length."""
    padded = payload + b" " * (-len(payload) % _BLOCK)  # JSON parsers ignore trailing spaces
    sealed: bytes = http_ece.encrypt(
        padded,
        private_key=generate_private_key(SECP256R1()),
        dh=subscription.public_key,
        auth_secret=subscription.auth_secret,
        version="aes128gcm",
    )
    return sealed


def _judged(answer: httpx.Response) -> PushResponse:
    status = answer.status_code
    if answer.is_success:
        return PushResponse("sent", status)
    if status in {404, 410}:  # RFC 8030, section 7.3: the subscription has expired
        return PushResponse("gone", status)
    if status == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
        return PushResponse("busy", status, _retry_after(answer))
    return PushResponse("refused", status)


def _retry_after(answer: httpx.Response) -> float:
    header = answer.headers.get("retry-after", "")
    return min(float(header), _MAX_RETRY_AFTER) if header.isascii() and header.isdigit() else 0.0
