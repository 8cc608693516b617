"""HTTP requests to push services, encrypted for the browser.

Imported with the first request, because it loads a large library and the certificates of the system.
"""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import http_ece  # type: ignore[import-untyped]  # has no types
import httpx
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from famichat.push.public_ip import Address, ForbiddenAddress
from famichat.push.response import PushResponse
from famichat.push.subscription import Subscription

_BLOCK = 256
_MAX_RETRY_AFTER = 300.0


class PushTransport:
    """Sends requests to addresses that were checked before.

    Args:
        patience: time limit for each step of a request, in seconds.
    """

    def __init__(self, patience: float) -> None:
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

    async def send(
        self, subscription: Subscription, address: Address, headers: Mapping[str, str], payload: bytes
    ) -> PushResponse:
        """Send a payload, encrypted for the subscribed browser.

        Args:
            subscription: the device's subscription.
            address: what its host name was resolved to; the connection uses no other.
            headers: the header of the request.
            payload: plaintext.

        Raises:
            ForbiddenAddress: the endpoint is no URL.
        """
        try:
            request = self._http.build_request(
                "POST",
                httpx.URL(subscription.endpoint).copy_with(host=str(address)),
                content=_encrypt(subscription, payload),
                headers=headers,
                # Verify the certificate against the host name, not the address.
                extensions={"sni_hostname": urlsplit(subscription.endpoint).hostname or ""},
            )
            answer = await self._http.send(request, stream=True)
            await answer.aclose()  # do not read the body, which may be endless
        except httpx.InvalidURL as error:
            raise ForbiddenAddress from error
        except httpx.HTTPError:
            return PushResponse("unreachable")
        return _judged(answer)


def _encrypt(subscription: Subscription, payload: bytes) -> bytes:
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
