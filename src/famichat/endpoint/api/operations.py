"""For whoever runs the server: is it alive, is it ready, and what does it count."""

import hmac
from ipaddress import ip_address

from fastapi import APIRouter, Request
from sqlalchemy import text
from starlette.responses import PlainTextResponse, Response

from famichat.chat.errors import NotFound
from famichat.endpoint.http.context import InContext

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> Response:
    """Answer: the process is alive."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def readyz(context: InContext) -> Response:
    """Answer whether requests can be served.

    Raises:
        StorageUnavailable: the database does not answer.
    """
    await context.database.read(lambda session: session.execute(text("SELECT 1")))
    return PlainTextResponse("ready\n")


@router.get("/metrics")
async def metrics(request: Request, context: InContext) -> Response:
    """Give the metrics in Prometheus' text format, to this machine itself or to who knows the token.

    Raises:
        NotFound: for anybody else.
    """
    if not (_from_this_machine(request) or _knows(request, context.metrics_token)):
        raise NotFound
    return Response(context.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _from_this_machine(request: Request) -> bool:
    # A reverse proxy on this machine passes on strangers, and says so.
    forwarded = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    return not forwarded and request.client is not None and ip_address(request.client.host).is_loopback


def _knows(request: Request, token: str | None) -> bool:
    given = request.headers.get("authorization", "")
    return token is not None and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
