import pytest

from famichat.typed_text import ascii_host, code_form, emoji_form, ip_of, unicode_host


def test_a_code_from_a_keyboard_for_japanese_is_the_same_code() -> None:
    assert code_form(" \uff41\uff42-\uff11\uff12\u3000") == code_form("AB-12")


@pytest.mark.parametrize("host", ["familie-m\u00fcller.example", "stra\u00dfe.example", "\u4f8b\u3048.\u30c6"])
def test_a_host_name_in_punycode_is_the_same_host(host: str) -> None:
    assert unicode_host(ascii_host(host)) == host
    assert ascii_host(ascii_host(host).upper()) == ascii_host(host)


@pytest.mark.parametrize("host", ["", "443", ":443", "[]:443", "203.0.113.9:", "203.0.113.9:port", "2001:db8::1]:443"])
def test_a_text_without_an_address_has_none(host: str) -> None:
    assert ip_of(host) is None


def test_different_emoji_stay_different() -> None:
    assert emoji_form("\U0001f44d") != emoji_form("\U0001f44d\U0001f3fd")
