"""The sitemap: every address of this server, and the one handler behind it."""

from fastapi import APIRouter
from starlette.routing import Route

from famichat.endpoint import errors, files, pages
from famichat.endpoint.api import (
    attachments,
    caretaking,
    conversations,
    devices,
    families,
    invites,
    ledger,
    me,
    members,
    messages,
    operations,
    passkeys,
    push,
    sessions,
    setup,
    test_broadcast,
)
from famichat.endpoint.context import Context
from famichat.endpoint.guard import Asgi, Guard
from famichat.endpoint.openapi import DescribedApi
from famichat.endpoint.strict_route import StrictRoute

LONGPOLL_PATH = "/socket/longpoll"
WEBSOCKET_PATH = "/socket/websocket"


def build_http(context: Context, longpoll: Asgi, plain_websocket: Asgi) -> Asgi:
    """Put together everything that answers HTTP.

    Args:
        context: what the handlers need.
        longpoll: answers `/socket/longpoll`, for networks without WebSockets.
        plain_websocket: answers plain HTTP at the WebSocket's address.
    """
    app = DescribedApi(
        title="Famichat",
        version="1",
        summary="A messenger that a family runs for itself.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    errors.install(app)
    api = APIRouter(prefix="/api/v1", route_class=StrictRoute)
    for noun in (
        setup,
        sessions,
        passkeys,
        me,
        ledger,
        push,
        devices,
        families,
        caretaking,
        invites,
        conversations,
        members,
        messages,
        attachments,
    ):
        api.include_router(noun.router)
    if context.test_endpoints:
        api.include_router(test_broadcast.router)
    app.include_router(api)
    app.include_router(operations.router)
    # Routes, not mounts: a mount would redirect clients to the same address with a slash.
    app.router.routes += [Route(LONGPOLL_PATH, longpoll), Route(WEBSOCKET_PATH, plain_websocket)]
    app.include_router(files.router)
    app.include_router(pages.router)
    https = context.public_url.startswith("https://")
    large = {"/api/v1/attachments/": attachments.MAX_PIECE_BYTES}
    return Guard(app, unlimited=(LONGPOLL_PATH,), large=large, https=https)
