"""Long polls, rules 46 to 50, and the plain HTTP side of the WebSocket's address."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from famichat.realtime import Endpoint, Limits, LongPoll, UpgradeRequired
from famichat.realtime.transport.byte_budget import ByteBudget
from famichat.realtime.transport.longpoll_session import LongPollSession
from famichat.realtime.transport.origin import OriginCheck
from famichat.telemetry.events import BinaryFrameDropped, Event, SlowConsumerClosed
from tests.support.channel_client import ChannelClient, encode_binary_push
from tests.support.room import House, Room, home

# A session survives a pause of 1.5 windows between two polls. Only tests of expiry use a short window.
PATIENT, QUICK = Limits(longpoll_window=30), Limits(longpoll_window=0.5)


def app(endpoint: Endpoint) -> Starlette:
    return Starlette(
        routes=[
            Route("/socket/longpoll", LongPoll(endpoint)),
            Route("/socket/websocket", UpgradeRequired(endpoint)),
        ]
    )


class Poller:
    """A long-poll client of one session."""

    def __init__(self, http: httpx.AsyncClient, vsn: str = "2.0.0") -> None:
        self.http = http
        self.vsn = vsn
        self.token: str | None = None

    async def get(self, **extra: Any) -> dict[str, Any]:
        params: list[tuple[str, str | int | float | bool | None]] = [
            ("vsn", self.vsn),
            *([("token", self.token)] if self.token else []),
        ]
        response = await self.http.get("/socket/longpoll", params=params, **extra)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["cache-control"] == "no-store"
        answer: dict[str, Any] = response.json()
        return answer

    async def open(self, **extra: Any) -> str:
        answer = await self.get(**extra)
        assert answer["status"] == 410
        assert answer["messages"] == []
        self.token = answer["token"]
        return answer["token"]  # type: ignore[no-any-return] # it is JSON

    async def post(self, *lines: str | bytes, ndjson: bool = True) -> int:
        content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
        headers = {"content-type": "application/x-ndjson" if ndjson else "application/json"}
        params = {"vsn": self.vsn, "token": self.token or ""}
        response = await self.http.post("/socket/longpoll", params=params, content=content, headers=headers)
        assert response.status_code == 200
        status: int = response.json()["status"]
        return status

    async def messages(self, count: int) -> list[Any]:
        """Poll until so many messages have come."""
        got: list[Any] = []
        async with asyncio.timeout(10):
            while len(got) < count:
                answer = await self.get()
                assert answer["status"] in (200, 204), answer
                assert all(isinstance(message, str) for message in answer["messages"])
                got += [json.loads(message) for message in answer["messages"]]
        return got


class Polls:
    """How many polls wait in the server at this moment."""

    def __init__(self) -> None:
        self.waiting = 0

    async def until_waiting(self, number: int) -> None:
        async with asyncio.timeout(10):
            while self.waiting != number:  # noqa: ASYNC110 - a count, not one event
                await asyncio.sleep(0.005)


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> Polls:
    watched, real = Polls(), LongPollSession.poll

    async def poll(session: LongPollSession) -> list[bytes] | None:
        watched.waiting += 1
        try:
            return await real(session)
        finally:
            watched.waiting -= 1

    monkeypatch.setattr(LongPollSession, "poll", poll)
    return watched


@contextlib.asynccontextmanager
async def serving(
    channel: type[Room] = Room, limits: Limits = PATIENT, *, check_origin: OriginCheck = False
) -> AsyncIterator[tuple[House, Poller]]:
    async with (
        home(channel, limits=limits, app=app, check_origin=check_origin) as served,
        httpx.AsyncClient(base_url=served.server.url, timeout=10) as http,
    ):
        yield served, Poller(http)


JOIN = '["1","1","room:1","phx_join",{}]'


async def test_rule_47_a_session_joins_talks_and_hears() -> None:
    async with serving() as (served, poller), ChannelClient.connect(served.url) as other:
        await other.join("room:1")
        await poller.open()
        assert await poller.post(JOIN, '["1","2","room:1","shout",{"a":1}]') == 200
        assert await poller.messages(3) == [
            ["1", "1", "room:1", "phx_reply", {"status": "ok", "response": {}}],
            [None, None, "room:1", "shout", {"a": 1}],
            ["1", "2", "room:1", "phx_reply", {"status": "ok", "response": {}}],
        ]
        await other.assert_broadcast("room:1", "shout", {"a": 1})
        await other.push("room:1", "shout", {"a": 2})
        assert await poller.messages(1) == [[None, None, "room:1", "shout", {"a": 2}]]


async def test_rule_47_a_poll_without_messages_ends_with_204_after_the_window() -> None:
    async with serving(limits=QUICK) as (_, poller):
        token = await poller.open()

        assert await poller.get() == {"status": 204, "token": token, "messages": []}


async def test_rule_47_a_message_ends_a_waiting_poll_immediately(polls: Polls) -> None:
    async with serving() as (served, poller):
        await poller.open()
        await poller.post(JOIN)
        await poller.messages(1)
        waiting = asyncio.create_task(poller.get())
        await polls.until_waiting(1)
        served.pubsub.broadcast("room:1", "shout", {"a": 1})

        assert (await asyncio.wait_for(waiting, 2))["messages"] == ['[null,null,"room:1","shout",{"a":1}]']


async def test_rule_47_a_newer_poll_takes_over_from_an_older_one(polls: Polls) -> None:
    async with serving() as (served, poller):
        await poller.open()
        await poller.post(JOIN)
        await poller.messages(1)
        older = asyncio.create_task(poller.get())
        await polls.until_waiting(1)
        newer = asyncio.create_task(poller.get())

        assert (await asyncio.wait_for(older, 2))["status"] == 204
        served.pubsub.broadcast("room:1", "shout", {})
        assert (await asyncio.wait_for(newer, 2))["status"] == 200


async def test_messages_after_an_aborted_poll_wait_for_the_next_poll(polls: Polls) -> None:
    async with serving() as (served, poller):
        await poller.open()
        await poller.post(JOIN)
        await poller.messages(1)
        broken = asyncio.create_task(poller.get())
        await polls.until_waiting(1)
        broken.cancel()
        await polls.until_waiting(0)
        served.pubsub.broadcast("room:1", "shout", {"a": 1})

        assert (await poller.messages(1))[0][4] == {"a": 1}


@pytest.mark.parametrize("query", ["?vsn=2.0.0&token=nobody", "?vsn=7.0.0"])
async def test_rule_47_a_refused_client_is_403_inside_200(query: str) -> None:
    async with serving() as (_, poller):
        assert (await poller.http.get(f"/socket/longpoll{query}")).json() == {"status": 403}


async def test_rule_47_a_refused_origin_is_403_inside_200() -> None:
    async with serving(check_origin=["https://good.example"]) as (_, poller):
        assert await poller.get(headers={"origin": "https://evil.example"}) == {"status": 403}
        await poller.open(headers={"origin": "https://good.example"})


async def test_rule_47_posting_to_a_dead_session_is_410() -> None:
    async with serving() as (_, poller):
        assert await poller.post(JOIN) == 410
        poller.token = "phx-longpoll.invented"
        assert await poller.post(JOIN) == 410


async def test_rule_47_another_content_type_is_one_message() -> None:
    async with serving() as (_, poller):
        await poller.open()
        assert await poller.post(JOIN, ndjson=False) == 200
        assert (await poller.messages(1))[0][3] == "phx_reply"


async def test_rule_47_a_refused_join_is_still_200() -> None:
    async with serving() as (_, poller):
        await poller.open()
        assert await poller.post('["1","1","nowhere","phx_join",{}]') == 200
        assert (await poller.messages(1))[0][4]["response"] == {"reason": "unmatched topic"}


async def test_rule_47_a_hundred_lines_are_read_and_no_more() -> None:
    async with serving(limits=Limits(longpoll_window=2)) as (_, poller):
        await poller.open()
        beats = [f'[null,"{number}","phoenix","heartbeat",{{}}]' for number in range(150)]
        assert await poller.post(*beats) == 200

        assert [message[1] for message in await poller.messages(100)] == [str(number) for number in range(100)]
        assert (await poller.get())["status"] == 204


async def test_rule_47_a_line_that_is_not_text_is_a_binary_push(emitted: list[Event]) -> None:
    class Counting(Room):
        async def handle_in(self, event: str, payload: Any) -> Any:
            self.push("size", {"bytes": len(payload)})
            self.push("never", b"arrives")
            return await super().handle_in(event, payload)

    async with serving(Counting) as (_, poller):
        await poller.open()
        await poller.post(JOIN, base64.b64encode(encode_binary_push("1", "2", "room:1", "echo", b"abc")))
        _, size, reply = await poller.messages(3)

        assert size[4] == {"bytes": 3}
        assert reply[4] == {"status": "error", "response": {"reason": "binary_unsupported"}}
        assert any(isinstance(event, BinaryFrameDropped) for event in emitted)


@pytest.mark.parametrize("line", ["!", "[", '["1"]', "", "AAAA", rb'["1","1","room:1","phx_join",{"a":"\ud800"}]'])
async def test_rule_47_a_malformed_message_ends_that_session_only(line: str | bytes) -> None:
    async with serving() as (served, poller):
        token = await poller.open()
        neighbour = Poller(poller.http)
        await neighbour.open()

        assert await poller.post(line, JOIN) == 410
        assert await poller.post(JOIN) == 410
        answer = await poller.get()
        assert (answer["status"], answer["token"] != token) == (410, True)
        assert await neighbour.post(JOIN) == 200
        assert (await neighbour.messages(1))[0][4]["status"] == "ok"
        assert served.endpoint.connections == 2


async def test_eight_megabytes_of_newlines_cost_nothing() -> None:
    async with serving() as (_, poller):
        await poller.open()

        assert await poller.post(b"\n" * 8_000_000) == 410


async def test_a_body_over_the_limit_is_refused_unread() -> None:
    async with serving(limits=Limits(longpoll_window=0.2, max_frame_bytes=1000)) as (_, poller):
        await poller.open()

        assert await poller.post(b"[" + b" " * 1000) == 413
        assert await poller.post(JOIN) == 200


async def test_rule_47_a_channel_that_is_stuck_is_408() -> None:
    class Stuck(Room):
        async def handle_in(self, event: str, payload: Any) -> Any:
            await asyncio.Event().wait()

    async with serving(Stuck, Limits(longpoll_window=0.2, inbox_frames=1, shutdown_timeout=0.1)) as (_, poller):
        await poller.open()

        assert await poller.post(JOIN, *['["1","2","room:1","hang",{}]'] * 3) == 408


async def test_rule_48_the_session_token_may_come_as_a_header_which_counts_first() -> None:
    async with serving(limits=QUICK) as (_, poller):
        token = await poller.open()
        answer = await poller.http.get(
            "/socket/longpoll?vsn=2.0.0&token=phx-longpoll.other", headers={"x-phoenix-longpoll-token": token}
        )

        assert answer.json() == {"status": 204, "token": token, "messages": []}


async def test_rule_48_the_applications_token_survives_the_end_of_the_session() -> None:
    async with serving() as (served, poller):
        query = "?token=ann&vsn=2.0.0&token=phx-longpoll.gone"
        first = (await poller.http.get(f"/socket/longpoll{query}")).json()

        assert first["status"] == 410
        assert served.rooms.requests[0].params == {"token": "ann", "vsn": "2.0.0"}


async def test_rule_49_the_auth_token_comes_as_a_header() -> None:
    async with serving() as (served, poller):
        await poller.open(headers={"x-phoenix-authtoken": "ann"})

        assert served.rooms.requests[0].token == "ann"


async def test_rule_50_a_session_without_polls_ends() -> None:
    async with serving(limits=Limits(longpoll_window=0.05)) as (served, poller):
        await poller.open()
        await poller.post(JOIN)
        await served.until_connections(0)

        assert served.left == ["gone"]
        assert await poller.post(JOIN) == 410


async def test_rule_50_disconnect_and_drain_end_sessions(polls: Polls) -> None:
    async with serving() as (served, poller):
        await poller.open()
        waiting = asyncio.create_task(poller.get())
        await polls.until_waiting(1)
        served.pubsub.disconnect("user:somebody")
        assert (await waiting)["status"] == 410
        await poller.open()
        await served.endpoint.drain()
        assert await poller.post(JOIN) == 500
        assert await poller.get() == {"status": 500}


async def test_a_session_that_is_not_fetched_has_a_bounded_queue(emitted: list[Event]) -> None:
    async with serving(limits=Limits(longpoll_window=5, queue_bytes=10_000)) as (served, poller):
        await poller.open()
        await poller.post(JOIN)
        for number in range(1000):
            served.pubsub.broadcast("room:1", "shout", {"number": number})

        assert any(isinstance(event, SlowConsumerClosed) for event in emitted)
        assert await poller.post(JOIN) == 410


async def test_unfetched_frames_beyond_the_budget_end_the_session() -> None:
    async with serving(limits=Limits(longpoll_window=5)) as (served, poller):
        budget = served.endpoint.byte_budget = ByteBudget(per_address_limit=100_000)
        await poller.open()
        await poller.post(JOIN)
        await poller.messages(1)
        served.pubsub.broadcast("room:1", "shout", {"fill": "x" * 90_000})
        held = budget.total
        await poller.messages(1)
        fetched = budget.total
        for _ in range(3):
            served.pubsub.broadcast("room:1", "shout", {"fill": "x" * 90_000})

        assert await poller.post(JOIN) == 410
        assert (50_000 < held < 90_000, fetched, budget.total) == (True, 0, 0)


async def test_the_number_of_sessions_is_limited() -> None:
    async with serving(limits=Limits(longpoll_window=5, longpoll_sessions=1)) as (_, poller):
        await poller.open()

        assert await Poller(poller.http).get() == {"status": 500}


async def test_the_sessions_of_one_client_are_limited() -> None:
    async with serving(limits=Limits(longpoll_window=5, longpoll_per_client=1)) as (served, poller):
        served.rooms.client = "ann"
        await poller.open()
        second = await Poller(poller.http).get()
        served.rooms.client = "ben"
        other = await Poller(poller.http).get()

    assert second == {"status": 500}
    assert other["status"] == 410, "a new session"


async def test_a_frame_that_comes_too_early_waits() -> None:
    async with serving() as (served, poller):
        await poller.open()
        served.rooms.waits = [0.01, 0.01]

        assert await poller.post(JOIN) == 200
        assert served.rooms.waits == []


async def test_an_application_that_breaks_is_500_inside_200() -> None:
    async with serving() as (_, poller):
        assert (await poller.http.get("/socket/longpoll?vsn=2.0.0&token=broken")).json() == {"status": 500}


async def test_rule_46_options_and_other_methods() -> None:
    async with serving() as (_, poller):
        options = await poller.http.options(
            "/socket/longpoll", headers={"access-control-request-headers": "x-phoenix-authtoken"}
        )

        assert (options.status_code, options.content) == (200, b"")
        assert options.headers["access-control-allow-headers"] == "x-phoenix-authtoken"
        assert options.headers["access-control-allow-methods"] == "get, post, options"
        assert options.headers["access-control-max-age"] == "3600"
        assert (await poller.http.put("/socket/longpoll")).status_code == 400
        assert (await poller.http.get("/socket/longpoll?a=%ff")).status_code == 400


async def test_version_1_polls_too() -> None:
    async with serving() as (_, poller):
        poller.vsn = "1.0.0"
        await poller.open()
        await poller.post('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}', ndjson=False)

        assert (await poller.messages(1))[0]["payload"] == {"status": "ok", "response": {}}


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("GET", "?vsn=2.0.0", 400),
        ("GET", "?vsn=2.0.0&token=nobody", 403),
        ("GET", "?vsn=9", 403),
        ("GET", "?a=%ff", 400),
        ("POST", "?vsn=2.0.0", 400),
    ],
)
async def test_rules_1_and_2_plain_http_at_the_websockets_address(method: str, query: str, status: int) -> None:
    async with serving() as (_, poller):
        response = await poller.http.request(method, f"/socket/websocket{query}")

        assert (response.status_code, response.content) == (status, b"")
