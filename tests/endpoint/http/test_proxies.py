from ipaddress import ip_network

import pytest

from famichat.endpoint.http.proxies import Proxies
from famichat.telemetry.events import Event, ForwardedHeaderIgnored

OURS = Proxies([ip_network("192.0.2.10"), ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        (None, "nowhere"),
    ],
)
def test_a_household_counts_as_one_address(peer: str | None, address: str) -> None:
    assert OURS.address(peer, "") == address


@pytest.mark.parametrize("peer", ["198.51.100.1", "192.0.2.11", "2001:db8::1", "testclient", None])
def test_headers_from_an_untrusted_proxy_are_ignored(peer: str | None) -> None:
    assert OURS.address(peer, "203.0.113.7") == OURS.address(peer, "")
    assert Proxies().address("127.0.0.1", "203.0.113.7") == "127.0.0.1"


def test_a_header_from_an_untrusted_peer_is_reported_once_for_public_and_once_for_private_peers(
    emitted: list[Event],
) -> None:
    proxies = Proxies([ip_network("10.0.0.0/8")])
    for peer in ("1.1.1.1", "8.8.8.8", "172.17.0.1", "127.0.0.1", "10.0.0.1"):
        proxies.address(peer, "")
        for _ in range(2):
            proxies.address(peer, "203.0.113.7")

    assert emitted == [ForwardedHeaderIgnored(peer="1.1.1.1"), ForwardedHeaderIgnored(peer="172.17.0.1")]


@pytest.mark.parametrize("peer", ["192.0.2.10", "::ffff:192.0.2.10", "fd00::1"])
@pytest.mark.parametrize(
    ("forwarded_for", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("8.8.8.8, 203.0.113.7", "203.0.113.7"),
        ("8.8.8.8,203.0.113.7 , 10.1.2.3", "203.0.113.7"),
        ("127.0.0.1, 10.0.0.1, 203.0.113.7, 10.0.0.2, fd00::2", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("nonsense, 203.0.113.7", "203.0.113.7"),
        ("10.1.2.3, 10.4.5.6", "10.1.2.3"),
        ("203.0.113.7:5123", "203.0.113.7"),
        ("8.8.8.8:1, 203.0.113.7:61001, 10.1.2.3:443", "203.0.113.7"),
        ("[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::1]", "2001:db8:1:2::/64"),
        ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
    ],
)
def test_the_nearest_untrusted_address_behind_a_trusted_proxy_counts(
    peer: str, forwarded_for: str, address: str
) -> None:
    assert OURS.address(peer, forwarded_for) == address


@pytest.mark.parametrize(
    "forwarded_for", ["", "203.0.113.7:http", "[2001:db8::1", "203.0.113.7, nonsense", "\x00", ",,,"]
)
def test_an_unreadable_address_counts_as_the_proxy(forwarded_for: str) -> None:
    assert OURS.address("192.0.2.10", forwarded_for) == "192.0.2.10"


def test_our_proxies_are_known() -> None:
    assert OURS.is_trusted("10.255.255.255")
    assert not OURS.is_trusted("11.0.0.0")
    assert not OURS.is_trusted("nonsense")
