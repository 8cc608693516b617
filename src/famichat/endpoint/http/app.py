"""Builds the ASGI application: the routes of the HTTP API, the long-polling transport and the web client."""

from starlette.routing import Route

from famichat.endpoint.api import (
    attachments,
    blocks,
    conversations,
    device_keys,
    families,
    family_admin,
    guardians,
    invites,
    key_sharing,
    marks,
    members,
    messages,
    mls,
    operations,
    people,
    reset_agreements,
    test_broadcast,
)
from famichat.endpoint.api.accounts import (
    audit_log,
    devices,
    email,
    me,
    passkeys,
    password_reset,
    profile,
    push,
    sessions,
    setup,
)
from famichat.endpoint.http import errors
from famichat.endpoint.http.context import Context
from famichat.endpoint.http.middleware import MAX_REQUEST_BYTES, Asgi, HttpMiddleware
from famichat.endpoint.http.openapi import DescribedApi
from famichat.endpoint.pages import downloads, pages
from famichat.realtime.transport.byte_budget import ByteBudget

LONGPOLL_PATH = "/socket/longpoll"
WEBSOCKET_PATH = "/socket/websocket"
BODY_LIMITS = {
    "/api/v1/attachments/": attachments.MAX_CHUNK_BYTES,
    "/api/v1/me/picture": profile.MAX_AVATAR_BYTES,
    "/api/v1/conversations/": MAX_REQUEST_BYTES,
    "/api/v1/test/": MAX_REQUEST_BYTES,
    "/api/v1/me/key-packages": 256 * 1024,
    "/api/v1/key-shares": 96 * 1024,
    "/api/v1/me/": 16 * 1024,  # passkeys and push subscriptions
    "/api/v1/sessions/passkey": 16 * 1024,
}
"""The largest request body by path prefix, in bytes; the first match wins."""
_API = (
    setup,
    sessions,
    password_reset,
    email,
    passkeys,
    me,
    profile,
    people,
    blocks,
    audit_log,
    push,
    devices,
    device_keys,
    mls,
    key_sharing,
    families,
    family_admin,
    reset_agreements,
    guardians,
    invites,
    conversations,
    members,
    messages,
    marks,
    attachments,
)


def build_api(*, test_endpoints: bool = False) -> DescribedApi:
    """Build the HTTP API without its services, which is enough to generate the OpenAPI document.

    Args:
        test_endpoints: whether to include the test routes.
    """
    app = DescribedApi(
        title="Famichat",
        version="1",
        summary="A messenger that a family runs for itself.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    api = _API + ((test_broadcast,) if test_endpoints else ())
    # Add the routes directly: `include_router` would copy each route, and copy it again at the first request. Do not
    # use mounts either: a mount redirects clients to the same URL with a trailing slash.
    for module in (*api, operations):
        app.router.routes += module.router.routes
    app.router.routes.append(Route("/api/openapi.json", app.respond_document))
    return app


def build_http(context: Context, longpoll: Asgi, plain_websocket: Asgi, byte_budget: ByteBudget) -> Asgi:
    """Build the complete HTTP application, including its middleware.

    Args:
        context: the services and settings that handlers receive.
        longpoll: handles `/socket/longpoll`, for networks that block WebSockets.
        plain_websocket: handles plain HTTP requests to the WebSocket URL.
        byte_budget: counts the bytes of request bodies.
    """
    app = build_api(test_endpoints=context.test_endpoints)
    app.state.context = context
    errors.install(app)
    app.router.routes += [Route(LONGPOLL_PATH, longpoll), Route(WEBSOCKET_PATH, plain_websocket)]
    for module in (downloads, pages):
        app.router.routes += module.router.routes
    https = context.public_url.startswith("https://")
    return HttpMiddleware(
        app,
        unlimited=(LONGPOLL_PATH,),
        streamed=("/api/v1/attachments/",),
        body_limits=BODY_LIMITS,
        byte_budget=byte_budget,
        proxies=context.proxies,
        https=https,
    )
