import pytest

from famichat.realtime.transport.origin import OriginCheck, origin_allowed

LIST = ["https://good.example", "//any.example", "//*.wild.example", "http://dev.example:8080"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://good.example", True),
        ("https://GOOD.example", True),
        ("https://good.example:443", True),
        ("http://good.example", False),
        ("https://good.example:8443", False),
        ("https://good.example.evil.example", False),
        ("https://evil.example", False),
        ("https://sub.good.example", False),
        ("http://any.example:1234", True),
        ("https://any.example", True),
        ("https://wild.example", True),
        ("https://a.b.wild.example", True),
        ("https://notwild.example", False),
        ("http://dev.example:8080", True),
        ("http://dev.example", False),
        ("null", False),
        ("file://", False),
        ("", False),
        ("https://", False),
        ("https://[::1", False),
        ("https://good.example:port", False),
        ("https://xn--god-jna.example", False),
        (None, True),
    ],
)
def test_rule_7_only_the_listed_origins_are_allowed(origin: str | None, *, allowed: bool) -> None:
    assert origin_allowed(origin, LIST, own_host=None, requested="https://here") is allowed


@pytest.mark.parametrize(
    ("origin", "check", "allowed"),
    [
        ("https://evil.example", False, True),
        ("null", False, True),
        ("http://own.example:99", True, True),
        ("http://evil.example", True, False),
        ("https://here.example:444", "conn", True),
        ("https://here.example", "conn", False),
        ("http://here.example:444", "conn", False),
        ("https://evil.example:444", "conn", False),
    ],
)
def test_rule_7_the_other_checks(origin: str, check: OriginCheck, *, allowed: bool) -> None:
    requested = "https://here.example:444"

    assert origin_allowed(origin, check, own_host="Own.example", requested=requested) is allowed


def test_an_entry_that_is_no_origin_allows_nothing() -> None:
    assert not origin_allowed("https://a", ["nonsense"], own_host=None, requested="https://here")
