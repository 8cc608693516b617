"""The dependencies of HTTP handlers: the application context and the authenticated caller."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from famichat.accounts.errors import Unauthorized
from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.endpoint.http.proxies import Proxies
from famichat.endpoint.pages.brand import Brand
from famichat.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(Services):
    """The services, with the settings and helpers that only HTTP handlers need.

    Attributes:
        proxies: the trusted reverse proxies.
        metrics: the metrics of this process.
        metrics_of_all: returns those of all workers of this machine; None if this process is the only one.
        is_isolated: returns whether this node alone receives nothing from the broker.
        test_endpoints: whether the test routes are enabled.
        metrics_token: bearer token for `/metrics`; None allows only requests from this machine.
        address: the URL that people open, if the operator set one.
        deployment: the id of all servers of this database, without its secrets; "" before it has one.
        origins: where web pages may connect from; see `Settings.origins`.
        brand: the name, color and logo of this server.
    """

    proxies: Proxies
    metrics: Metrics
    metrics_of_all: Callable[[], Awaitable[bytes]] | None = None
    is_isolated: Callable[[], bool]
    test_endpoints: bool
    metrics_token: str | None
    address: str | None
    deployment: str
    origins: tuple[str, ...]
    brand: Brand


def get_context(request: Request) -> Context:
    """Return the context of the application that serves this request."""
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(get_context)]
_bearer = HTTPBearer(auto_error=False, description="An access token, from POST /api/v1/sessions.")


async def caller(
    request: Request, context: InContext, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Authenticate the request and return the caller's user and device.

    Raises:
        Unauthorized: the request has no bearer token.
        InvalidToken: the token is malformed, expired or revoked.
        RateLimited: the device exceeded the limit for all of its requests together.
    """
    identity = await context.identify(credentials.credentials if credentials else None)
    request.state.user_id = identity.user_id  # for the report of a denial; see `errors.py`
    context.rate_limits.check("request", identity)
    return identity


async def check_signature(request: Request) -> None:
    """Check that this server signed the bearer token of a request, without asking the database.

    Routes call it before they read the body, so that a client without a token cannot make the server parse one.

    Raises:
        Unauthorized: the request has no bearer token.
        InvalidToken: the token is malformed, forged or expired.
    """
    credentials = await _bearer(request)
    if credentials is None or not credentials.credentials:
        raise Unauthorized
    get_context(request).tokens.read(credentials.credentials)


Caller = Annotated[Identity, Depends(caller)]
