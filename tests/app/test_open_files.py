import resource

import pytest

from famichat.app.open_files import MAX_CONNECTIONS, connection_limit, raise_limit


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The soft and the hard limit of this process, which the test may change."""
    pair = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: tuple(pair))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, new: pair.__setitem__(slice(None), new))
    return pair


def test_the_soft_limit_is_raised_to_the_hard_limit(limits: list[int]) -> None:
    raise_limit()

    assert limits == [4096, 4096]


def test_a_higher_limit_is_left_alone(limits: list[int]) -> None:
    limits[:] = [100_000, 100_000]
    raise_limit()

    assert limits == [100_000, 100_000]


def test_connections_and_their_files_stay_below_the_limit(limits: list[int]) -> None:
    assert 2 * connection_limit() < limits[0]


def test_connections_are_limited_without_a_limit_of_files(limits: list[int]) -> None:
    limits[:] = [resource.RLIM_INFINITY, resource.RLIM_INFINITY]

    assert connection_limit() == MAX_CONNECTIONS
