"""The addresses at which other devices reach a server."""

import socket
from typing import Final

WILDCARDS: Final = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound  # nosec B104
# The first is a documentation address (RFC 5737), which is routed like the internet; the second belongs to Tailscale.
_DESTINATIONS: Final = ("192.0.2.1", "100.100.100.100")
_ANY_PORT: Final = 9


def reachable_urls(host: str, port: int) -> tuple[str, ...]:
    """Return the URLs at which devices of the same network reach a server.

    Args:
        host: the address that the server listens on. For `0.0.0.0` and `::`, the result has the addresses of this
            machine on the routes to the internet and to a Tailscale network, or `localhost` if there is no network.
        port: its port.
    """
    hosts = _own_addresses() if host in WILDCARDS else [host]
    return tuple(f"http://[{each}]:{port}" if ":" in each else f"http://{each}:{port}" for each in hosts)


def _own_addresses() -> list[str]:
    found = [address for address in map(_source_address, _DESTINATIONS) if address is not None]
    return list(dict.fromkeys(found)) or ["localhost"]


def _source_address(destination: str) -> str | None:
    """Return the address that packets to a destination are sent from. Sends none: UDP has no handshake."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((destination, _ANY_PORT))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return None if address.startswith("127.") else address
