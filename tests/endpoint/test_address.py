import pytest
from starlette.requests import Request

from famichat.endpoint.address import address_of


def request_from(host: str | None, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "client": None if host is None else (host, 1)})


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        (None, "nowhere"),
    ],
)
def test_a_household_counts_as_one_address(host: str | None, address: str) -> None:
    assert address_of(request_from(host)) == address


def test_what_somebody_writes_into_a_header_is_not_believed() -> None:
    assert address_of(request_from("192.0.2.1", x_forwarded_for="198.51.100.1")) == "192.0.2.1"
