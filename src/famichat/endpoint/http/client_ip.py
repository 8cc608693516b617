"""The client address of a request, for rate limits."""

from typing import Annotated

from fastapi import Depends, Request

from famichat.actions.rate_limit import Address
from famichat.endpoint.http.context import InContext


def client_address(request: Request, context: InContext) -> Address:
    """Return the client address of a request; see `Proxies.address`."""
    peer = None if request.client is None else request.client.host
    return context.proxies.address(peer, ",".join(request.headers.getlist("x-forwarded-for")))


ClientAddress = Annotated[Address, Depends(client_address)]
