"""Finds where a name leads, and goes nowhere but into the public internet.

Whoever subscribes names an address that this server will then ask. Without this check they could make it knock at doors
that only it can reach: a router, a database, the metadata of a cloud (server-side request forgery).
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

# Public by their looks, but they lead to whichever IPv4 address is written into them: NAT64 (RFC 6052, 8215), 6to4
# (RFC 3056), Teredo (RFC 4380). The last one, site-local, is a private range of old (RFC 3879).
_LEADING_ELSEWHERE = tuple(
    IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96")
)


class ForbiddenAddress(Exception):
    """The name leads to no public address."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, and is what it looks like."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in net for net in _LEADING_ELSEWHERE):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int, *, allow_private: bool = False) -> Address:
    """The address to connect to. Connect to this one, not to the name: asked again, the name may lead elsewhere.

    Args:
        host: a name, or an address in any of its spellings.
        port: where on it.
        allow_private: for a push service of one's own.

    Raises:
        ForbiddenAddress: none of its addresses is public.
        OSError: there is no such name.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    for address in addresses:
        if allow_private or is_public(address):
            return address
    raise ForbiddenAddress
