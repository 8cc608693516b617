"""The reverse proxies in front of this server, whose word is taken for where a request comes from."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from famichat.actions.rate_limit import Address

_ONE_CUSTOMER = 64  # the IPv6 prefix that one household gets, and can choose addresses in


class Proxies:
    """Whom to believe: nobody else is, because anybody can write a header.

    Args:
        trusted: the addresses of the proxies.
    """

    def __init__(self, trusted: Iterable[IPv4Network | IPv6Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def trust(self, host: str) -> bool:
        """Whether a peer is one of them."""
        address = _read(host)
        return address is not None and self._is_trusted(address)

    def address(self, peer: str | None, forwarded_for: str) -> Address:
        """The nearest address that is no proxy's of ours; on IPv6 its /64, because one household has all of that.

        Args:
            peer: who has connected.
            forwarded_for: the `X-Forwarded-For` headers, where each proxy has written its own peer behind the others.
        """
        found = None if peer is None else _read(peer)
        if found is None:
            return Address(peer or "nowhere")
        for hop in reversed(forwarded_for.split(",")):
            further = _read(hop.strip()) if self._is_trusted(found) else None
            if further is None:
                break
            found = further
        is_single = isinstance(found, IPv4Address)
        return Address(str(found if is_single else ip_network((found, _ONE_CUSTOMER), strict=False)))

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _read(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
