"""Trusted reverse proxies, and the client address behind them."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from famichat.actions.rate_limit import Address
from famichat.telemetry import emit, events
from famichat.typed_text import ip_of

_IPV6_PREFIX = 64  # a household has at least a /64 and can use any address in it


class Proxies:
    """The reverse proxies whose `X-Forwarded-For` header is trusted. Any client can forge this header.

    Args:
        trusted: the networks of the proxies.
    """

    def __init__(self, trusted: Iterable[IPv4Network | IPv6Network] = ()) -> None:
        self._trusted = tuple(trusted)
        self._reported: set[bool] = set()

    def is_trusted(self, host: str) -> bool:
        """Return whether a peer is a trusted proxy."""
        address = ip_of(host)
        return address is not None and self._contains(address)

    def address(self, peer: str | None, forwarded_for: str) -> Address:
        """Return the client address for rate limits: the nearest address that is not a trusted proxy.

        For IPv6 it is the /64 network, because one household can use any address in it.

        Args:
            peer: the address of the connection; None if unknown.
            forwarded_for: the `X-Forwarded-For` headers, joined by commas. Each proxy appends the address of its
                peer, some with the port.
        """
        nearest = None if peer is None else ip_of(peer)
        if nearest is None:
            return Address(peer or "nowhere")
        if forwarded_for and not self._contains(nearest):
            self._report(nearest)
        # Read from right to left, and only as far as trusted proxies wrote the entries.
        for hop in reversed(forwarded_for.split(",")):
            previous = ip_of(hop.strip()) if self._contains(nearest) else None
            if previous is None:
                break
            nearest = previous
        is_ipv4 = isinstance(nearest, IPv4Address)
        return Address(str(nearest if is_ipv4 else ip_network((nearest, _IPV6_PREFIX), strict=False)))

    def _report(self, peer: IPv4Address | IPv6Address) -> None:
        """Report an ignored header once, and once for private peers: a client on the internet must not hide a proxy."""
        if peer.is_private not in self._reported:
            self._reported.add(peer.is_private)
            emit(events.ForwardedHeaderIgnored(peer=str(peer)))

    def _contains(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)
