"""The number of nodes that listen on a Redis server; `test_broker.py` tests what the client carries."""

import pytest

from famichat.realtime.redis_broker import listening_nodes


def test_a_redis_that_is_away_is_reported_by_the_name_of_the_error() -> None:
    with pytest.raises(ConnectionError, match="ConnectionError"):
        listening_nodes("redis://127.0.0.1:1/0")
