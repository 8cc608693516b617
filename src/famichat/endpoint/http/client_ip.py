"""Where a request comes from, as limits count it."""

from typing import Annotated

from fastapi import Depends, Request

from famichat.actions.rate_limit import Address
from famichat.endpoint.http.context import InContext


def address_of(request: Request, context: InContext) -> Address:
    """The address of whoever asks; see `Proxies.address`."""
    peer = None if request.client is None else request.client.host
    return context.proxies.address(peer, ",".join(request.headers.getlist("x-forwarded-for")))


FromAddress = Annotated[Address, Depends(address_of)]
