"""What every HTTP handler receives: the services, and what concerns HTTP alone."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.endpoint.http.proxies import Proxies
from famichat.endpoint.pages.brand import Brand
from famichat.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(Services):
    """The services, with the settings and helpers that only HTTP handlers need."""

    proxies: Proxies
    metrics: Metrics
    test_endpoints: bool
    metrics_token: str | None
    brand: Brand


def context_of(request: Request) -> Context:
    """The context of the application that serves this request."""
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(context_of)]
_bearer = HTTPBearer(auto_error=False, description="An access token, from POST /api/v1/sessions.")


async def caller(
    request: Request, context: InContext, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Who makes this request.

    Raises:
        InvalidToken: the bearer token is missing, malformed, expired or revoked.
        RateLimited: this device asks too much, whatever it asks.
    """
    identity = await context.identify(credentials.credentials if credentials else None)
    request.state.user_id = identity.user_id  # for whoever notes a refusal
    context.rate_limits.check("request", identity)
    return identity


Caller = Annotated[Identity, Depends(caller)]
