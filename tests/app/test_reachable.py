import socket

import pytest

from famichat.app.reachable import reachable_urls


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:4000"), ("::1", "http://[::1]:4000"), ("box.local", "http://box.local:4000")],
)
def test_a_certain_address_is_reachable_as_it_is(host: str, url: str) -> None:
    assert reachable_urls(host, 4000) == (url,)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - what this test is about
def test_a_server_on_all_addresses_names_one_that_other_devices_can_open(host: str) -> None:
    for url in reachable_urls(host, 4000):
        address = url.removeprefix("http://").removesuffix(":4000")
        assert address not in {host, "127.0.0.1", "localhost"}
        with socket.socket() as own:
            own.bind((address, 0))  # raises an error for an address of another machine
