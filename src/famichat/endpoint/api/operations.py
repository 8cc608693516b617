"""Health checks and metrics for the server operator."""

import hashlib
import hmac
from ipaddress import ip_address

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from famichat.chat.errors import NotFound
from famichat.endpoint.http.context import InContext
from famichat.storage.errors import StorageUnavailable

REACH = "/socket/reach"
"""Beside the WebSocket, so that a proxy treats both alike. A request with the headers of an upgrade gets 404."""

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> Response:
    """Report that the process is alive."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def readyz(context: InContext) -> Response:
    """Report whether requests can be served, and whether this node hears the others.

    It reports what the background checks found, and waits for nothing. If no node hears the others, all stay ready:
    their clients learn of missed messages from the database within seconds. If this one alone hears nothing, others
    serve clients better, and the answer is 503.

    Raises:
        StorageUnavailable: the database does not answer, or this node has not been able to read for 5 seconds who
            lost access, so that it delivers nothing.
    """
    if not (context.database_check.answers and context.pubsub.delivering):
        raise StorageUnavailable("readiness")
    if context.is_isolated():
        return PlainTextResponse("isolated: no message of the broker arrives here, but at other nodes\n", 503)
    deaf = "" if context.pubsub.hearing else "hearing: false (no message of the broker arrives)\n"
    return PlainTextResponse(f"ready\n{deaf}")


@router.get(REACH)
async def reach(request: Request, context: InContext) -> Response:
    """Tell which deployment a request has reached, and how. `famichat doctor` asks through the public URL."""
    forwarded = "x-forwarded-for" in request.headers
    peer = request.client.host if request.client else ""
    how = "none" if not forwarded else "trusted" if context.proxies.is_trusted(peer) else "ignored"
    return JSONResponse({"deployment": context.deployment, "origins": context.origins, "forwarded": how})


def deployment_of(database_id: str) -> str:
    """Return a public id of the servers that share a database."""
    return hashlib.sha256(f"famichat deployment {database_id}".encode()).hexdigest()


@router.get("/metrics")
async def metrics(request: Request, context: InContext) -> Response:
    """Return the metrics in Prometheus' text format, to this machine or to a client with the metrics token.

    Raises:
        NotFound: the client is neither.
    """
    if not (_is_local(request) or _has_token(request, context.metrics_token)):
        raise NotFound
    rendered = await context.metrics_of_all() if context.metrics_of_all is not None else context.metrics.render()
    return Response(rendered, media_type="text/plain; version=0.0.4; charset=utf-8")


def _is_local(request: Request) -> bool:
    # A reverse proxy on this machine forwards requests of other clients, and adds a header to them.
    forwarded = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    return not forwarded and request.client is not None and ip_address(request.client.host).is_loopback


def _has_token(request: Request, token: str | None) -> bool:
    given = request.headers.get("authorization", "")
    return token is not None and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
