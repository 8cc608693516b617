import pytest

from famichat.realtime import Broadcast, Channel, JoinRefused, Socket, error, ok


@pytest.fixture
def channel() -> Channel:
    return Channel(Socket((), max_channels=1, assigns="ann"), "room:1")


async def test_a_default_channel_accepts_every_join_and_handles_no_events(channel: Channel) -> None:
    assert await channel.join({}) == {}
    assert await channel.handle_in("anything", {}) == error("unmatched event")
    assert channel.should_deliver(Broadcast("room:1", "e", {}))
    assert channel.socket.assigns == "ann"


def test_a_channel_cannot_send_before_it_was_started(channel: Channel) -> None:
    with pytest.raises(RuntimeError, match="started"):
        channel.push("e", {})


def test_replies_and_refusals_are_objects() -> None:
    assert ok().response == {}
    assert ok(b"").response == b""
    assert error("no").response == JoinRefused("no").response == {"reason": "no"}
    assert error({"a": 1}).response == {"a": 1}
    assert JoinRefused().response == {"reason": "unauthorized"}
