from typing import Any

import pytest

from famichat.realtime.message import Message, Ref, Reply, ReplyPayload, error, ok
from famichat.realtime.socket import Deliver, Send, Socket, Start, matches


def join(topic: str = "room:1", join_ref: Ref = "1", ref: Ref = "1", payload: Any = None) -> Message:
    return Message(join_ref, ref, topic, "phx_join", {} if payload is None else payload)


def push(topic: str = "room:1", join_ref: Ref = "1", ref: Ref = "5", event: str = "hello") -> Message:
    return Message(join_ref, ref, topic, event, {})


def sent(join_ref: Ref, ref: Ref, topic: str, reply: ReplyPayload) -> Send:
    return Send(Reply(join_ref, ref, topic, reply))


@pytest.fixture
def socket() -> Socket:
    return Socket(("room:special", "room:*", "exact"), max_channels=3)


def started(socket: Socket, message: Message) -> Start:
    step = socket.receive(message)
    assert isinstance(step, Start)
    return step


@pytest.mark.parametrize("ref", ["1", 7, None])
def test_rule_18_a_heartbeat_is_answered_before_any_join(socket: Socket, ref: Ref) -> None:
    assert socket.receive(Message(None, ref, "phoenix", "heartbeat", {})) == sent(None, ref, "phoenix", ok())


def test_rule_18_any_other_event_on_phoenix_is_unmatched(socket: Socket) -> None:
    assert socket.receive(Message(None, "1", "phoenix", "other", {})) == sent(
        None, "1", "phoenix", error("unmatched topic")
    )


def test_rule_20_topics_match_in_the_order_they_are_declared(socket: Socket) -> None:
    assert started(socket, join("room:special")).pattern == "room:special"
    assert started(socket, join("room:other")).pattern == "room:*"
    assert started(socket, join("exact")).pattern == "exact"


def test_rule_20_a_pattern_is_exact_or_a_prefix() -> None:
    assert matches("room:*", "room:")
    assert matches("*", "anything")
    assert not matches("room", "room:1")
    assert not matches("room:*", "lobby")


def test_rule_20_an_unknown_topic_is_answered_with_a_null_join_ref(socket: Socket) -> None:
    assert socket.receive(join("nowhere")) == sent(None, "1", "nowhere", error("unmatched topic"))


def test_rule_20_one_connection_joins_so_many_channels(socket: Socket) -> None:
    for number in range(3):
        started(socket, join(f"room:{number}"))

    assert socket.receive(join("room:3", "9", "9")) == sent("9", "9", "room:3", error("too many channels joined"))
    assert started(socket, join("room:2", "10", "10")).replaces is not None


def test_a_released_slot_can_be_joined_again(socket: Socket) -> None:
    seats = [started(socket, join(f"room:{number}")).joined_topic for number in range(3)]
    socket.release(seats[0])

    assert started(socket, join("room:3")).replaces is None
    assert len(socket._joined_topics) == 3


def test_rule_23_a_duplicate_join_starts_again_and_names_the_replaced_join(socket: Socket) -> None:
    first = started(socket, join(join_ref="1")).joined_topic
    second = started(socket, join(join_ref="2"))

    assert second.replaces is first
    assert not first.open
    socket.release(first)
    assert isinstance(socket.receive(push(join_ref="2")), Deliver)


@pytest.mark.parametrize(("join_ref", "taken"), [("1", True), (None, True), ("0", False), (1, False), ("", False)])
def test_rule_24_a_stale_join_ref_is_dropped_silently(socket: Socket, join_ref: Ref, *, taken: bool) -> None:
    seat = started(socket, join()).joined_topic
    message = push(join_ref=join_ref)

    assert socket.receive(message) == (Deliver(seat, message) if taken else None)


def test_rule_25_a_join_without_join_ref_is_known_by_its_ref(socket: Socket) -> None:
    seat = started(socket, join(join_ref=None, ref="7")).joined_topic

    assert seat.push_ref == "7"
    assert isinstance(socket.receive(push(join_ref=None)), Deliver)
    assert socket.receive(push(join_ref="7")) is None


def test_rule_30_a_topic_that_is_not_joined_is_unmatched(socket: Socket) -> None:
    assert socket.receive(push()) == sent(None, "5", "room:1", error("unmatched topic"))


def test_rule_31_leaving_a_topic_that_is_not_joined_is_ok(socket: Socket) -> None:
    assert socket.receive(push(event="phx_leave")) == sent("1", "5", "room:1", ok())


def test_rule_31_a_stale_leave_is_dropped_silently(socket: Socket) -> None:
    started(socket, join())

    assert socket.receive(push(event="phx_leave", join_ref="0")) is None


def test_rule_31_nothing_is_taken_after_a_leave(socket: Socket) -> None:
    seat = started(socket, join()).joined_topic

    assert isinstance(socket.receive(push(event="phx_leave", join_ref=None)), Deliver)
    assert socket.receive(push()) == sent(None, "5", "room:1", error("unmatched topic"))
    assert started(socket, join(join_ref="2")).replaces is seat


@pytest.mark.parametrize("payload", [[], "text", 1, None, True])
def test_a_payload_that_is_no_object_is_answered_not_fatal(socket: Socket, payload: Any) -> None:
    refused = sent("1", "1", "room:1", error("invalid_message"))

    assert socket.receive(Message("1", "1", "room:1", "phx_join", payload)) == refused
    assert socket.receive(Message("1", "1", "room:1", "new_msg", payload)) == refused
    assert socket.receive(Message("1", "1", "room:1", "phx_join", b"bytes")) == refused
