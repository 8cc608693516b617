"""The one way out of this server to push services: to public addresses, over HTTPS, once, and without listening long.

    answer = await client.post(subscription, payload)

The name is looked up once and the connection goes to the address that was looked at; redirects are not followed, and
of the answer only the status is read.
"""

import asyncio
import ssl
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
_WINDOWS = ".notify.windows.com"


@dataclass(frozen=True, slots=True)
class PushResponse:
    """What came of a request.

    Attributes:
        outcome: `sent`: the service has it; `gone`: the subscription is over; `busy`, `unreachable`: it may work later;
            `refused`, `forbidden_address`: it will not.
        status: the HTTP status, if there was an answer.
        retry_after: seconds that the service wants to be left alone.
    """

    outcome: Outcome
    status: int | None = None
    retry_after: float = 0.0

    @property
    def may_work_later(self) -> bool:
        """Whether it is worth another try."""
        return self.outcome in {"busy", "unreachable"}


class PushClient:
    """Rings devices.

    Args:
        vapid: says who rings.
        allow_private: whether plain HTTP and private addresses are let through, for a push service of one's own.
        patience: seconds for everything together.
    """

    def __init__(self, vapid: Vapid, *, allow_private: bool = False, patience: float = PATIENCE_SECONDS) -> None:
        self._vapid = vapid
        self._allow_private = allow_private
        self._patience = patience
        # No connection is kept: they are known by address, and the next name behind the same one is somebody else's.
        self._http = httpx.AsyncClient(
            verify=ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=patience,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Let go of everything."""
        await self._http.aclose()

    async def post(self, subscription: Subscription, payload: bytes, topic: str | None = None) -> PushResponse:
        """Ring a device.

        Args:
            subscription: which.
            payload: what only its browser will read, 3000 bytes at most.
            topic: replaces what waits at the service under the same word, for a device that is off.
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
        address = await resolve(host, parts.port or _PORTS[parts.scheme], allow_private=self._allow_private)
        url = httpx.URL(subscription.endpoint).copy_with(host=str(address))
        request = self._http.build_request(
            "POST",
            url,
            content=encrypt(subscription, payload),
            headers=self._headers(subscription.endpoint, parts.netloc, topic),
            extensions={"sni_hostname": host},  # so that the certificate is checked against the name
        )
        answer = await self._http.send(request, stream=True)
        await answer.aclose()  # unread: it may be endless
        return _judged(answer)

    def _headers(self, endpoint: str, netloc: str, topic: str | None) -> dict[str, str]:
        headers = {
            "host": netloc,
            "authorization": self._vapid.authorization(endpoint),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(_TTL_SECONDS),
            "urgency": "high",  # anything less waits until a sleeping phone wakes up by itself
        }
        if topic is not None:
            headers["topic"] = topic
        if netloc.endswith(_WINDOWS):
            headers["x-wns-type"] = "wns/raw"
        return headers


def encrypt(subscription: Subscription, payload: bytes) -> bytes:
    """What only the subscribed browser can read (RFC 8291), with a length that tells little about what it says."""
    padded = payload + b" " * (-len(payload) % _BLOCK)  # JSON does not mind
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
    if status in {404, 410}:  # RFC 8030, 7.3: it has expired
        return PushResponse("gone", status)
    if status == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
        return PushResponse("busy", status, _retry_after(answer))
    return PushResponse("refused", status)


def _retry_after(answer: httpx.Response) -> float:
    told = answer.headers.get("retry-after", "")
    return min(float(told), _MAX_RETRY_AFTER) if told.isascii() and told.isdigit() else 0.0
