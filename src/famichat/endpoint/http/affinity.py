"""The cookie by which a load balancer keeps the devices of a family on one node."""

from fastapi import Response

from famichat.actions.accounts.affinity import affinity_of
from famichat.endpoint.http.context import Context

COOKIE = "famichat_affinity"
_SECONDS = 90 * 24 * 60 * 60


async def set_affinity(response: Response, context: Context, user_id: str) -> None:
    """Set the cookie. It authorizes nothing: the server never reads it."""
    affinity = await affinity_of(context, user_id)
    if affinity is not None:
        https = context.public_url.startswith("https://")
        response.set_cookie(COOKIE, affinity, max_age=_SECONDS, secure=https, httponly=True, samesite="lax")
