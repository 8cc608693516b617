"""Clients other than phoenix.js: what their sources require of a server (rules 19, 51 and 52)."""

from typing import Any

from famichat.realtime import (
    Connected,
    ConnectRequest,
    Endpoint,
    Limits,
    Payload,
    ReplyPayload,
    SocketHandler,
    TerminateReason,
)
from famichat.realtime.channel import Deferred
from tests.support.channel_client import ChannelClient
from tests.support.realtime_server import running_server
from tests.support.room import Room, home

HEARTBEAT_INTERVAL = 30  # seconds; JavaScript, Swift and Kotlin. `realtime` sends one every 25 s
GRACE = 10  # seconds for a slow network


def test_rule_19_a_client_that_sends_a_heartbeat_every_30_seconds_is_not_idle() -> None:
    assert Limits().idle_timeout > HEARTBEAT_INTERVAL + GRACE


async def test_rule_19_dart_gets_its_first_heartbeat_answered_before_it_joins() -> None:
    async with home() as served, ChannelClient.connect(served.url) as dart:
        await dart.send(None, "1", "phoenix", "heartbeat", {})
        await dart.assert_reply("1", "ok", {})
        assert await dart.join("room:1") == {}


class SupabaseRoom(Room):
    """A `realtime:` topic as the PyPI package `realtime` uses it."""

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        if event == "access_token":
            return None
        if event == "broadcast":
            self.broadcast("broadcast", payload)
            return None
        return await super().handle_in(event, payload)


class SupabaseSocket(SocketHandler):
    channels = (("realtime:*", SupabaseRoom),)

    async def connect(self, request: ConnectRequest) -> Connected:
        return Connected(frozenset(), request.params["apikey"])


async def test_rule_51_the_python_client_realtime_joins_and_broadcasts_on_a_prefixed_topic() -> None:
    SupabaseRoom.left = list[TerminateReason]()
    config: dict[str, Any] = {"broadcast": {"ack": False, "self": True}, "presence": {"key": ""}, "private": False}
    sent = {"type": "broadcast", "event": "new_msg", "payload": {"body": "hello"}}
    endpoint = Endpoint(SupabaseSocket(), check_origin=False)
    async with (
        running_server(endpoint, None) as server,
        ChannelClient.connect(server.socket_url, vsn="1.0.0", apikey="token") as client,
    ):
        assert await client.join("realtime:room", {"config": config, "access_token": "token"}) == {}
        await client.push("realtime:room", "access_token", {"access_token": "new"})
        await client.push("realtime:room", "broadcast", sent)
        await client.assert_broadcast("realtime:room", "broadcast", sent)


async def test_rule_52_a_client_that_reads_only_text_gets_no_binary_frame_and_only_string_refs() -> None:
    async with home() as served, ChannelClient.connect(served.url) as swift:
        await swift.join("room:1")
        await swift.ask("room:1", "echo", {"a": 1})
        await swift.push("room:1", "shout", {"a": 1})
        await swift.assert_broadcast("room:1", "shout", {"a": 1})
        await swift.leave("room:1")
        await swift.assert_push("room:1", "phx_close")

        assert all(isinstance(frame.payload, dict) for frame in swift.received)
        assert {type(ref) for frame in swift.received for ref in (frame.join_ref, frame.ref)} == {str, type(None)}


async def test_rule_52_a_phx_close_carries_the_join_ref_by_which_clients_tell_their_own() -> None:
    async with home() as served, ChannelClient.connect(served.url) as kotlin:
        await kotlin.join("room:1")
        first = kotlin.join_refs["room:1"]
        await kotlin.join("room:1")
        close = await kotlin.assert_push("room:1", "phx_close")

        assert close.join_ref == first != kotlin.join_refs["room:1"]
