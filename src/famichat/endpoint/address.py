"""Where a request comes from, as limits count it."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated

from fastapi import Depends, Request

_ONE_CUSTOMER = 64  # the IPv6 prefix that one household gets, and can choose addresses in


def address_of(request: Request) -> str:
    """The peer's address; on IPv6 its /64, because one household has all of that.

    What a proxy says about it is not believed: anybody can write that.
    """
    if request.client is None:
        return "nowhere"
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return request.client.host
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, _ONE_CUSTOMER), strict=False))


FromAddress = Annotated[str, Depends(address_of)]
