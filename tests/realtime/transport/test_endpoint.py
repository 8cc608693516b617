import asyncio
from collections import Counter
from typing import Any

import pytest

from famichat.realtime import Channel, Connected, ConnectRequest, Endpoint, JoinRefused, Limits, SocketHandler
from famichat.realtime.transport.connection import SERVICE_RESTART
from famichat.realtime.transport.endpoint import Unavailable, read_offer


class Slow(SocketHandler):
    channels = (("room:*", Channel), ("*", Channel), ("room:*", SocketHandler))  # type: ignore[assignment] # the last is never used

    async def connect(self, request: ConnectRequest) -> Connected:
        await asyncio.sleep(10)
        return await super().connect(request)


def test_the_first_of_two_equal_patterns_wins_in_the_order_declared() -> None:
    assert list(Endpoint(Slow()).routes.items()) == [("room:*", Channel), ("*", Channel)]


async def test_an_application_that_does_not_decide_is_not_waited_for() -> None:
    endpoint = Endpoint(Slow(), limits=Limits(connect_timeout=0.01))
    with pytest.raises(Unavailable):
        await endpoint.admit(ConnectRequest({}, {}), "websocket")


async def test_by_default_every_client_may_connect() -> None:
    admitted = await Endpoint(SocketHandler()).admit(ConnectRequest({"vsn": "2.0.0"}, {}), "websocket")

    assert (admitted.socket.ids, admitted.serializer.version) == (frozenset(), "2.0.0")


async def test_no_connection_is_accepted_after_a_drain() -> None:
    endpoint = Endpoint(SocketHandler())
    await endpoint.drain()
    with pytest.raises(Unavailable):
        endpoint.check_origin(ConnectRequest({}, {}), "websocket")
    with pytest.raises(Unavailable):
        await endpoint.admit(ConnectRequest({}, {}), "websocket")


@pytest.mark.parametrize("nodes", [1, 4])
async def test_nodes_that_drain_together_send_200_clients_per_second_away(
    monkeypatch: pytest.MonkeyPatch, nodes: int
) -> None:
    endpoint, closed, pauses = Endpoint(SocketHandler()), Counter[int](), list[float]()

    class Open:
        def close(self, code: int, _reason: str) -> None:
            assert code == SERVICE_RESTART
            closed[len(pauses)] += 1

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    connections: Any = {Open(): None for _ in range(1000)}
    endpoint._connections = connections
    monkeypatch.setattr(asyncio, "sleep", sleep)

    await endpoint.drain(lambda: nodes)

    assert closed.total() == 1000
    assert 180 < nodes * 1000 / sum(pauses) < 220
    assert max(closed.values()) == 10
    assert len(set(pauses)) == len(pauses), "with jitter"


async def test_a_drain_ends_in_time_however_many_clients_there_are() -> None:
    endpoint, closed = Endpoint(SocketHandler()), list[int]()

    class Open:
        def close(self, code: int, _reason: str) -> None:
            closed.append(code)

    connections: Any = {Open(): None for _ in range(100)}
    endpoint._connections = connections

    await asyncio.wait_for(endpoint.drain(at_most=0), 0.5)

    assert len(closed) == 100


def test_a_request_does_not_show_its_token() -> None:
    assert "s3cr3t" not in repr(ConnectRequest({}, {}, token="s3cr3t"))


@pytest.mark.parametrize("offered", [["graphql"], ["phoenix", "base64url.bearer.phx.a"]])
def test_rule_6_an_offer_that_cannot_be_met_is_refused(offered: list[str]) -> None:
    with pytest.raises(JoinRefused):
        read_offer(offered)


async def test_a_client_disconnected_while_connecting_is_refused() -> None:
    class Hesitating(SocketHandler):
        async def connect(self, request: ConnectRequest) -> Connected:
            await asyncio.sleep(0.02)
            return Connected(frozenset({f"user:{request.params['token']}"}))

    endpoint = Endpoint(Hesitating())
    endpoint.pubsub.disconnect("user:ben")  # this one was before
    asked = [endpoint.admit(ConnectRequest({"token": name}, {}), "websocket") for name in ("ann", "ben")]
    admitting = [asyncio.ensure_future(each) for each in asked]
    await asyncio.sleep(0.01)
    endpoint.pubsub.disconnect("user:ann")
    ann, ben = await asyncio.gather(*admitting, return_exceptions=True)

    assert isinstance(ann, JoinRefused)
    assert not isinstance(ben, BaseException)
