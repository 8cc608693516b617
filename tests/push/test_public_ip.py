from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from famichat.push.public_ip import ForbiddenAddress, is_public, resolve

PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378::", "fec0::1", "64:ff9b:1::1",
]  # fmt: skip


@pytest.mark.parametrize("written", PRIVATE)
def test_an_address_of_a_private_range_is_not_public(written: str) -> None:
    assert not is_public(ip_address(written))


@pytest.mark.parametrize("written", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_an_address_of_the_internet_is(written: str) -> None:
    assert is_public(ip_address(written))


@pytest.mark.parametrize("host", ["localhost", "127.1", "0177.0.0.1", "2130706433", "0x7f.1", "127.0.0.1", "::1"])
async def test_this_machine_is_found_under_every_spelling_and_refused(host: str) -> None:
    with ThreadPoolExecutor(1) as executor, pytest.raises(ForbiddenAddress):
        await resolve(host, 443, executor=executor)
