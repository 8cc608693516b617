"""Resolves host names and accepts only public IP addresses.

A client chooses the address that this server will connect to. Without this check it could reach hosts that only the
server can: a router, a database, a cloud metadata service (server-side request forgery).
"""

import asyncio
import socket
from concurrent.futures import Executor
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

# Formally public, but they embed an arbitrary IPv4 address: NAT64 (RFC 6052, 8215), 6to4 (RFC 3056), Teredo (RFC 4380)
# and IPv4-compatible addresses. fec0::/10 is the deprecated site-local range (RFC 3879).
_LEADING_ELSEWHERE = tuple(
    IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96")
)


class ForbiddenAddress(Exception):
    """The host has no public address."""


def is_public(address: Address) -> bool:
    """Return whether an address is globally routable and does not embed another address."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in net for net in _LEADING_ELSEWHERE):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int, *, executor: Executor, allow_private: bool = False) -> Address:
    """Resolve a host and return an address to connect to.

    Connect to this address, not to the name: a second lookup may return a different one.

    Args:
        host: a host name, or an IP address in any notation.
        port: the TCP port.
        executor: runs the lookup, which blocks a thread for as long as the name server takes.
        allow_private: accept private addresses, for a self-hosted push service.

    Raises:
        ForbiddenAddress: the host has no public address.
        OSError: the name does not resolve.
    """
    lookup = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(executor, lookup)
    addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    for address in addresses:
        if allow_private or is_public(address):
            return address
    raise ForbiddenAddress
