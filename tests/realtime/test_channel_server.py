"""The channel life cycle from a client's view: join, push, leave, crash and replacement."""

import asyncio
from typing import Any

import pytest

from famichat.realtime import Broadcast, JoinRefused, Limits, Payload, ReplyPayload, TerminateReason, ok
from famichat.realtime.channel import Deferred
from famichat.telemetry.events import ChannelCrashed, Event
from tests.support.channel_client import ChannelClient, Frame
from tests.support.raw_websocket import TEXT, encode, raw_websocket
from tests.support.room import Room, home

CLOSE, REPLY = "phx_close", "phx_reply"


def brief(frames: list[Frame]) -> list[tuple[Any, Any, str]]:
    return [(frame.join_ref, frame.ref, frame.event) for frame in frames]


class Refusing(Room):
    async def join(self, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("crash"):
            raise RuntimeError("a secret s3cr3t")
        if params.get("wrong"):
            return None  # type: ignore[return-value] # the mistake to catch
        if params.get("unencodable"):
            return {"a": object()}
        raise JoinRefused({"reason": "not_found", "details": {"a": 1}})


async def test_rule_20_a_refused_join_says_why_and_the_connection_stays() -> None:
    async with home(Refusing) as served, ChannelClient.connect(served.url) as client:
        response = await client.join("room:1", status="error")
        await client.heartbeat()

        assert response == {"reason": "not_found", "details": {"a": 1}}
        assert served.left == []


@pytest.mark.parametrize("fault", ["crash", "wrong", "unencodable"])
async def test_rule_20_a_join_that_raises_is_answered_join_crashed(fault: str, emitted: list[Event]) -> None:
    async with home(Refusing) as served, ChannelClient.connect(served.url) as client:
        assert await client.join("room:1", {fault: True}, status="error") == {"reason": "join crashed"}
        await client.heartbeat()

        assert "s3cr3t" not in repr(emitted)
        assert any(isinstance(event, ChannelCrashed) and event.stage == "join" for event in emitted)


async def test_messages_pipelined_behind_a_refused_join_are_unmatched() -> None:
    async with home(Refusing) as served, ChannelClient.connect(served.url) as client:
        join = await client.send_join("room:1")
        ref = await client.push("room:1", "shout", {})
        await client.assert_reply(join, "error")
        await client.assert_reply(ref, "error", {"reason": "unmatched topic"})


class SlowJoin(Room):
    """Delays its join until released if requested; payloads with `"known": True` count as known."""

    begun: asyncio.Event
    gate: asyncio.Event

    async def join(self, params: dict[str, Any]) -> dict[str, Any]:
        self.push("early", {})
        if params.get("slowly"):
            SlowJoin.begun.set()
            await SlowJoin.gate.wait()
        return {}

    @staticmethod
    async def in_the_middle(client: ChannelClient, topic: str = "room:1") -> str:
        """Ask for a join, and wait until it has begun; it goes on when the gate is open."""
        SlowJoin.begun, SlowJoin.gate = asyncio.Event(), asyncio.Event()
        ref = await client.send_join(topic, {"slowly": True})
        await asyncio.wait_for(SlowJoin.begun.wait(), 10)
        return ref

    async def after_join(self) -> None:
        self.push("presence_state", {})

    def should_deliver(self, broadcast: Broadcast) -> bool:
        return isinstance(broadcast.payload, dict) and not broadcast.payload.get("known")


async def test_rule_21_the_join_reply_comes_first_and_no_concurrent_message_is_lost() -> None:
    async with home(SlowJoin) as served, ChannelClient.connect(served.url) as client:
        ref = await SlowJoin.in_the_middle(client)
        served.pubsub.broadcast("room:1", "shout", {"number": 1})
        served.pubsub.broadcast("room:1", "shout", {"number": 2, "known": True})
        served.pubsub.broadcast("room:1", "shout", {"number": 3})
        SlowJoin.gate.set()
        await client.assert_reply(ref)
        await client.assert_push("room:1", "presence_state")

        events = [(frame.event, frame.payload.get("number")) for frame in client.received]
        assert events == [(REPLY, None), ("early", None), ("shout", 1), ("shout", 3), ("presence_state", None)]


async def test_a_message_in_the_join_reply_is_not_broadcast_to_the_client_again() -> None:
    async with home(SlowJoin) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        served.pubsub.broadcast("room:1", "shout", {"number": 1, "known": True})
        served.pubsub.broadcast("room:1", "shout", {"number": 2})
        await client.assert_broadcast("room:1", "shout", {"number": 2})

        shouts = [frame.payload["number"] for frame in client.received if frame.event == "shout"]
        assert shouts == [2]


async def test_a_channel_that_fails_to_filter_a_broadcast_does_not_keep_it_from_the_others() -> None:
    class Filter(Room):
        async def join(self, params: dict[str, Any]) -> dict[str, Any]:
            self.fails = bool(params.get("fails"))
            return {}

        def should_deliver(self, _: Broadcast) -> bool:
            return bool(1 / 0) if self.fails else True

    async with (
        home(Filter) as served,
        ChannelClient.connect(served.url) as failing,
        ChannelClient.connect(served.url) as other,
    ):
        await failing.join("room:1", {"fails": True})
        await other.join("room:1")
        served.pubsub.broadcast("room:1", "shout", {"number": 1})

        await other.assert_broadcast("room:1", "shout", {"number": 1})
        await failing.assert_push("room:1", "phx_error")


async def test_rule_22_messages_pipelined_behind_a_join_are_handled_after_it_in_order() -> None:
    async with home(SlowJoin) as served, ChannelClient.connect(served.url) as client:
        await client.send_join("room:1")
        refs = [await client.push("room:1", "echo", {"number": number}) for number in range(20)]
        for number, ref in enumerate(refs):
            await client.assert_reply(ref, "ok", {"number": number})

        assert [frame.ref for frame in client.received if frame.event == REPLY][1:] == refs


async def test_rule_22_channels_do_not_wait_for_each_other() -> None:
    async with home(SlowJoin) as served, ChannelClient.connect(served.url) as client:
        slow = await SlowJoin.in_the_middle(client, "room:slow")
        await client.join("room:fast")
        SlowJoin.gate.set()
        await client.assert_reply(slow)


async def test_a_flood_during_a_join_refuses_it_instead_of_growing() -> None:
    async with home(SlowJoin) as served, ChannelClient.connect(served.url) as client:
        ref = await SlowJoin.in_the_middle(client)
        for number in range(1200):
            served.pubsub.broadcast("room:1", "shout", {"number": number})
        SlowJoin.gate.set()
        await client.assert_reply(ref, "error", {"reason": "join crashed"})
        await client.join("room:1")
        await client.refute_broadcast("room:1", "shout")


async def test_rule_23_a_duplicate_join_replaces_and_closes_the_older_channel() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        await client.join("room:1")
        await client.assert_push("room:1", CLOSE)
        served.pubsub.broadcast("room:1", "shout", {})
        await client.assert_broadcast("room:1", "shout")
        await client.refute_broadcast("room:1", "shout")

        assert brief(client.received)[:3] == [("1", "1", REPLY), ("2", "2", REPLY), ("1", "1", CLOSE)]
        assert served.left == ["closed"]


async def test_rule_23_a_refused_duplicate_still_closes_the_older_channel() -> None:
    class Once(Room):
        async def join(self, params: dict[str, Any]) -> dict[str, Any]:
            if params.get("again"):
                raise JoinRefused("no")
            return {}

    async with home(Once) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        await client.join("room:1", {"again": True}, status="error")
        await client.assert_push("room:1", CLOSE)

        assert (await client.ask("room:1", "shout")).response == {"reason": "unmatched topic"}


async def test_rule_23_version_1_hears_no_close_on_a_duplicate_join() -> None:
    async with home() as served, ChannelClient.connect(served.url, vsn="1.0.0") as client:
        await client.join("room:1")
        await client.join("room:1")
        await client.refute_push("room:1", CLOSE)

        assert await served.until_left(1) == ["closed"]


@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
async def test_rule_23_leave_and_join_back_to_back_close_once_and_join(vsn: str) -> None:
    async with home() as served, ChannelClient.connect(served.url, vsn=vsn) as client:
        await client.join("room:1")
        leave = await client.push("room:1", "phx_leave")
        join = await client.send_join("room:1")
        await client.assert_reply(join)

        assert [frame.ref for frame in client.received] == ["1", leave, "1", join]
        assert [frame.event for frame in client.received] == [REPLY, REPLY, CLOSE, REPLY]
        assert served.left == ["left"]


async def test_a_stuck_channel_does_not_keep_its_successor_out() -> None:
    class Stuck(Room):
        async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | None:
            await asyncio.Event().wait()
            return None

    async with (
        home(Stuck, limits=Limits(shutdown_timeout=0.1)) as served,
        ChannelClient.connect(served.url) as client,
    ):
        await client.join("room:1")
        await client.push("room:1", "hang")
        await client.join("room:1")

        assert served.left == ["closed"]


async def test_rule_25_a_join_without_join_ref_gets_pushes_under_its_ref() -> None:
    async with home(SlowJoin) as served, ChannelClient.connect(served.url) as client:
        await client.send(None, "7", "room:1", "phx_join", {"seconds": 0})
        reply = await client.assert_reply("7")
        push = await client.assert_push("room:1", "presence_state")
        await client.send(None, "8", "room:1", "echo", {"a": 1})
        echo = await client.assert_reply("8")

        assert (reply.join_ref, push.join_ref, echo.join_ref) == (None, "7", "7")


async def test_rule_26_a_push_with_null_ref_still_gets_its_reply() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        await client.send("1", None, "room:1", "echo", {"a": 1})

        assert (await client.assert_reply(None, "ok", {"a": 1})).join_ref == "1"


async def test_rule_26_an_unknown_event_is_answered_and_crashes_nothing() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")

        assert (await client.ask("room:1", "unknown")).response == {"reason": "unmatched event"}
        assert (await client.ask("room:1", "echo")).status == "ok"


async def test_rules_28_and_29_the_sender_hears_its_own_broadcast_before_its_reply() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        ref = await client.push("room:1", "shout", {"a": 1})
        await client.assert_reply(ref)

        assert brief(client.received)[1:] == [(None, None, "shout"), ("1", ref, REPLY)]


async def test_rule_28_a_broadcast_may_leave_out_the_sending_channel() -> None:
    async with (
        home() as served,
        ChannelClient.connect(served.url) as client,
        ChannelClient.connect(served.url) as other,
    ):
        await client.join("room:1")
        await other.join("room:1")
        await client.push("room:1", "whisper", {"a": 1})
        await other.assert_broadcast("room:1", "whisper", {"a": 1})
        await client.refute_broadcast("room:1", "whisper")


async def test_rule_29_one_senders_messages_keep_their_order_at_every_receiver() -> None:
    async with (
        home() as served,
        ChannelClient.connect(served.url) as client,
        ChannelClient.connect(served.url, vsn="1.0.0") as other,
    ):
        await client.join("room:1")
        await other.join("room:1")
        for number in range(100):
            await client.push("room:1", "shout", {"number": number})
        await other.assert_broadcast("room:1", "shout", {"number": 99})

        assert [frame.payload["number"] for frame in other.received if frame.event == "shout"] == list(range(100))


async def test_rule_31_leaving_is_answered_then_closed_and_nothing_follows() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        ref = await client.push("room:1", "phx_leave")
        await client.assert_push("room:1", CLOSE)
        served.pubsub.broadcast("room:1", "shout", {})
        await client.refute_broadcast("room:1", "shout")

        assert brief(client.received)[1:] == [("1", ref, REPLY), ("1", "1", CLOSE)]
        assert served.left == ["left"]


async def test_rule_32_a_channel_that_the_server_ends_is_closed() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        await client.push("room:1", "stop")
        close = await client.assert_push("room:1", CLOSE, {})

        assert (close.join_ref, close.ref) == ("1", "1")
        assert await served.until_left(1) == ["closed"]


async def test_rule_33_a_crash_ends_that_channel_only(emitted: list[Event]) -> None:
    async with (
        home() as served,
        ChannelClient.connect(served.url) as client,
        ChannelClient.connect(served.url) as other,
    ):
        await client.join("room:1")
        await client.join("room:2")
        await other.join("room:1")
        await client.push("room:1", "crash")
        failed = await client.assert_push("room:1", "phx_error", {"reason": "channel_crash"})
        await other.push("room:1", "shout", {})
        await other.assert_broadcast("room:1", "shout")
        await client.refute_broadcast("room:1", "shout")

        assert (failed.join_ref, failed.ref) == ("1", "1")
        assert (await client.ask("room:2", "echo")).status == "ok"
        assert (await client.ask("room:1", "echo")).response == {"reason": "unmatched topic"}
        assert served.left == ["crashed"]
        assert "s3cr3t" not in repr(emitted)
        await client.join("room:1")


async def test_rule_34_a_lost_client_leaves_every_channel_once() -> None:
    async with home() as served:
        async with ChannelClient.connect(served.url) as client:
            await client.join("room:1")
            await client.join("room:2")
            client.websocket.transport.abort()
            await client.closed()

        assert await served.until_left(2) == ["gone", "gone"]
        assert served.endpoint.connections == 0


async def test_messages_sent_before_a_disconnect_are_still_handled() -> None:
    async with home() as served, ChannelClient.connect(served.url) as other:
        await other.join("room:1")
        async with ChannelClient.connect(served.url) as client:
            await client.send_join("room:1")
            for number in range(10):
                await client.push("room:1", "shout", {"number": number})
        await other.assert_broadcast("room:1", "shout", {"number": 9})


class Later(Room):
    """Replies together with all pending requests, like a group commit."""

    waiting: "list[asyncio.Future[ReplyPayload | None]]"

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        if event == "later":
            answer: asyncio.Future[ReplyPayload | None] = asyncio.get_running_loop().create_future()
            Later.waiting.append(answer)
            return Deferred(answer)
        return await super().handle_in(event, payload)


async def test_a_channel_handles_messages_while_a_reply_is_deferred() -> None:
    Later.waiting = []
    async with home(Later) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        refs = [await client.push("room:1", "later") for _ in range(10)]
        assert (await client.ask("room:1", "echo")).status == "ok"
        for number, answer in enumerate(Later.waiting):
            answer.set_result(ok({"number": number}))
        for number, ref in enumerate(refs):
            await client.assert_reply(ref, "ok", {"number": number})


async def test_the_number_of_pending_replies_is_limited() -> None:
    Later.waiting = []
    async with home(Later, limits=Limits(max_deferred=3)) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        refs = [await client.push("room:1", "later") for _ in range(6)]
        async with asyncio.timeout(10):
            for answered in range(len(refs)):
                most = min(4, len(refs) - answered)  # three replies are pending, and one request waits
                while len(Later.waiting) < most:  # noqa: ASYNC110 - the channel has no event for it
                    await asyncio.sleep(0.005)
                await asyncio.sleep(0.02)
                assert len(Later.waiting) == most
                Later.waiting.pop(0).set_result(ok())
        for ref in refs:
            await client.assert_reply(ref)


async def test_a_leave_waits_for_pending_replies() -> None:
    Later.waiting = []
    async with home(Later) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        owed = await client.push("room:1", "later")
        leave = await client.push("room:1", "phx_leave")
        await client.refute_push("room:1", CLOSE, within=0.05)
        Later.waiting[0].set_result(ok())
        await client.assert_push("room:1", CLOSE)

        assert [frame.ref for frame in client.received] == ["1", owed, leave, "1"]


async def test_a_deferred_reply_that_raises_crashes_the_channel() -> None:
    Later.waiting = []
    async with home(Later) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        await client.push("room:1", "later")
        await client.heartbeat()
        Later.waiting[0].set_exception(RuntimeError("a secret s3cr3t"))
        await client.assert_push("room:1", "phx_error", {"reason": "channel_crash"})

        assert await served.until_left(1) == ["crashed"]


async def test_evicting_closes_at_once_and_lets_nothing_through_afterwards() -> None:
    Later.waiting = []
    async with (
        home(Later) as served,
        ChannelClient.connect(served.url, "ann") as ann,
        ChannelClient.connect(served.url, "ben") as ben,
    ):
        await ann.join("room:1")
        await ann.join("room:2")
        await ben.join("room:1")
        await ann.push("room:1", "later")
        await ann.heartbeat()
        served.pubsub.evict("room:1", "user:ann")
        served.pubsub.broadcast("room:1", "shout", {})
        Later.waiting[0].set_result(ok())
        await ann.assert_push("room:1", CLOSE)
        await ben.assert_broadcast("room:1", "shout")
        await ann.refute_broadcast("room:1", "shout")

        assert [frame.event for frame in ann.received if frame.topic == "room:1"] == [REPLY, CLOSE]
        assert (await ann.ask("room:2", "echo")).status == "ok"
        assert served.left == ["closed"]


async def test_evicting_someone_who_is_still_joining_refuses_the_join() -> None:
    async with home(SlowJoin) as served, ChannelClient.connect(served.url, "ann") as ann:
        ref = await SlowJoin.in_the_middle(ann)
        served.pubsub.evict("room:1", "user:ann")
        served.pubsub.broadcast("room:1", "shout", {})
        SlowJoin.gate.set()
        await ann.assert_reply(ref, "error", {"reason": "join crashed"})
        await ann.refute_broadcast("room:1", "shout")

        assert [frame.event for frame in ann.received] == [REPLY]
        assert served.left == ["closed"]


async def test_a_leave_that_raises_is_reported_and_affects_no_other_channel(emitted: list[Event]) -> None:
    class BadLeaver(Room):
        async def terminate(self, reason: TerminateReason) -> None:
            raise RuntimeError("a secret s3cr3t")

    async with home(BadLeaver) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        await client.leave("room:1")
        await client.assert_push("room:1", CLOSE)
        await client.join("room:1")

        assert [event.stage for event in emitted if isinstance(event, ChannelCrashed)] == ["leave"]


async def test_a_wrong_return_from_handle_in_crashes_the_channel() -> None:
    class Wrong(Room):
        async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | None:
            return {"reason": "not a reply"}  # type: ignore[return-value] # the mistake to catch

    async with home(Wrong) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        await client.push("room:1", "anything")
        await client.assert_push("room:1", "phx_error")


async def test_a_payload_that_cannot_be_encoded_crashes_only_its_channel() -> None:
    class Unencodable(Room):
        async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
            match event:
                case "reply":
                    return ok({"a": object()})
                case "push":
                    self.push("a", {"a": {1}})
                case "broadcast":
                    self.broadcast("a", [])  # type: ignore[arg-type] # the mistake to catch
            return None

    topic = "room:" + "x" * 300
    async with (
        home(Unencodable) as served,
        ChannelClient.connect(served.url) as client,
        ChannelClient.connect(served.url) as neighbour,
    ):
        await neighbour.join(topic)
        for event in ("reply", "push", "broadcast"):
            await client.join(topic)
            await client.push(topic, event)
            await client.assert_push(topic, "phx_error", {"reason": "channel_crash"})
        await neighbour.heartbeat()

        assert [frame.event for frame in neighbour.received] == ["phx_reply", "phx_reply"]


async def test_a_channel_that_cannot_even_be_made_is_answered_join_crashed() -> None:
    class Broken(Room):
        def __init__(self, *_: object) -> None:
            raise RuntimeError("a secret s3cr3t")

    async with home(Broken) as served, ChannelClient.connect(served.url) as client:
        assert await client.join("room:1", status="error") == {"reason": "join crashed"}
        await client.heartbeat()


async def test_a_client_with_much_to_say_does_not_hold_up_the_others() -> None:
    turns: list[str] = []

    class Talkative(Room):
        async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
            turns.append(self.topic)
            return None

    say = [*["room:long"] * 200, "room:short"]
    joins = [b'["1","1","%s","phx_join",{}]' % topic.encode() for topic in ("room:long", "room:short")]
    frames = [*joins, *(b'["1","2","%s","say",{}]' % topic.encode() for topic in say)]
    async with (
        home(Talkative) as served,
        raw_websocket(served.server.host, served.server.port, "/socket/websocket?vsn=2.0.0") as raw,
    ):
        raw.write(b"".join(encode(TEXT, frame) for frame in frames))
        async with asyncio.timeout(3):
            while len(turns) < 201:  # noqa: ASYNC110 - the channel has no event for it
                await asyncio.sleep(0.005)

        assert turns.index("room:short") < 100
