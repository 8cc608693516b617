"""Checks whether requests to the public URL reach this server, through the proxy in front of it."""

from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from famichat.app.environment.check import Check
from famichat.endpoint.api.operations import REACH, deployment_of
from famichat.settings import Settings
from famichat.storage.data_dir import DataDir

_SECONDS = 5.0
_NAME = "public URL"


async def check_public_url(settings: Settings) -> Check:
    """Open the public URL as a browser does: with a request, and with a WebSocket."""
    url = settings.public_url
    if url is None:
        return Check(_NAME, Check.NOTE, "not set; set FAMICHAT_PUBLIC_URL to the address that people open")
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_SECONDS) as http:
            answer = await http.get(f"{url}{REACH}")
    except httpx.HTTPError as error:
        return _unreachable(url, error)
    fault = _fault_of(url, answer, settings) or await _websocket_fault(url)
    return fault or Check(_NAME, Check.OK, f"{url} reaches this server, also with WebSocket")


def _unreachable(url: str, error: httpx.HTTPError) -> Check:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return _bad(url, "has a certificate that cannot be verified; renew it, or install its root certificate here")
    # Many home routers do not let their own network use the public address, so this is no proof of a fault.
    return Check(
        _NAME,
        Check.NOTE,
        f"{url} does not answer requests from this machine; check its DNS entry, the port forwarding of your router "
        "and the proxy, unless it works from outside your network",
    )


def _fault_of(url: str, answer: httpx.Response, settings: Settings) -> Check | None:
    if answer.is_redirect:
        target = answer.headers.get("location", "").removesuffix(REACH)
        return _bad(url, f"redirects to {target}; set FAMICHAT_PUBLIC_URL to the address that people finally see")
    if answer.is_server_error:
        return _bad(url, f"answers {answer.status_code}: the proxy does not reach Famichat on port {settings.port}")
    reached = _json(answer)
    database_id = DataDir(settings.data_dir).database_id()
    if database_id is None or reached.get("deployment") != deployment_of(database_id):
        return _bad(url, f"is another server; let the proxy send its requests to port {settings.port} of this one")
    return _proxy_fault(url, reached)


def _proxy_fault(url: str, reached: dict[str, Any]) -> Check | None:
    if url not in reached.get("origins", ()):
        return _bad(url, "reaches this server, but it runs with another FAMICHAT_PUBLIC_URL; restart it")
    if reached.get("forwarded") == "ignored":
        return _bad(url, "goes through a proxy that is not trusted; add its address to FAMICHAT_TRUSTED_PROXIES")
    if reached.get("forwarded") == "none" and url.startswith("https://"):
        return _bad(url, "goes through a proxy that does not send X-Forwarded-For; configure it as in docs/running.md")
    return None


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        read = answer.json()
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


async def _websocket_fault(url: str) -> Check | None:
    """Open a WebSocket where there is none. Only a request without its headers gets the answer of `REACH`."""
    try:
        async with connect(f"{url.replace('http', 'ws', 1)}{REACH}", open_timeout=_SECONDS, proxy=None):
            status = httpx.codes.SWITCHING_PROTOCOLS.value
    except InvalidStatus as refused:
        status = refused.response.status_code
    except (OSError, TimeoutError, WebSocketException) as error:
        return _bad(url, f"does not open WebSockets ({type(error).__name__}); let the proxy forward Upgrade headers")
    if status == httpx.codes.NOT_FOUND:
        return None
    return _bad(url, f"answers WebSockets with {status}; let the proxy forward the headers Upgrade and Connection")


def _bad(url: str, rest: str) -> Check:
    return Check(_NAME, Check.BAD, f"{url} {rest}")
