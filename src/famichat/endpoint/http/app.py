"""The sitemap: every address of this server, and the one handler behind it."""

from starlette.routing import Route

from famichat.endpoint.api import (
    attachments,
    audit_log,
    conversations,
    devices,
    families,
    family_admin,
    invites,
    me,
    members,
    messages,
    operations,
    passkeys,
    people,
    profile,
    push,
    sessions,
    setup,
    test_broadcast,
)
from famichat.endpoint.http import errors
from famichat.endpoint.http.context import Context
from famichat.endpoint.http.middleware import Asgi, RequestGuard
from famichat.endpoint.http.openapi import DescribedApi
from famichat.endpoint.pages import downloads, pages

LONGPOLL_PATH = "/socket/longpoll"
WEBSOCKET_PATH = "/socket/websocket"
_API = (
    setup,
    sessions,
    passkeys,
    me,
    profile,
    people,
    audit_log,
    push,
    devices,
    families,
    family_admin,
    invites,
    conversations,
    members,
    messages,
    attachments,
)


def build_api(*, test_endpoints: bool = False) -> DescribedApi:
    """Build the HTTP API without the server behind it, which is enough for its OpenAPI document.

    Args:
        test_endpoints: whether to include the routes that only tests use.
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
    api = _API + ((test_broadcast,) if test_endpoints else ())
    # The routes themselves: `include_router` would copy each of them, and again at the first request. No mounts: a
    # mount redirects clients to the same address with a slash.
    for noun in (*api, operations):
        app.router.routes += noun.router.routes
    return app


def build_http(context: Context, longpoll: Asgi, plain_websocket: Asgi) -> Asgi:
    """Put together everything that answers HTTP.

    Args:
        context: what the handlers need.
        longpoll: answers `/socket/longpoll`, for networks without WebSockets.
        plain_websocket: answers plain HTTP at the WebSocket's address.
    """
    app = build_api(test_endpoints=context.test_endpoints)
    app.state.context = context
    errors.install(app)
    app.router.routes += [Route(LONGPOLL_PATH, longpoll), Route(WEBSOCKET_PATH, plain_websocket)]
    for noun in (downloads, pages):
        app.router.routes += noun.router.routes
    https = context.public_url.startswith("https://")
    large = {"/api/v1/attachments/": attachments.MAX_CHUNK_BYTES, "/api/v1/me/picture": profile.MAX_AVATAR_BYTES}
    return RequestGuard(app, unlimited=(LONGPOLL_PATH,), large=large, https=https)
