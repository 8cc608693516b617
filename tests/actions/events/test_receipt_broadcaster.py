"""Receipts are coalesced for clients that support it, and frames stay linear in the members of a conversation."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from famichat.actions.events import receipt_broadcaster
from famichat.actions.events.receipt_broadcaster import STATUS, STATUSES, ReceiptBroadcaster
from famichat.chat.messages.receipt import Status
from famichat.chat.messages.receipt_batch import Acknowledgement, AckResult
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.telemetry.events import Event, MessageBroadcast

TOPIC = "message:group:g"
MEMBERS = 50


class Member:
    """A channel of one member: supports `message_statuses`, or does not."""

    def __init__(self, pubsub: PubSub, user_id: str, *, supports: bool = True) -> None:
        self.ids = frozenset({f"user:{user_id}"})
        self.received: list[tuple[str, Any]] = []
        pubsub.subscribe(TOPIC, self)
        pubsub.listen(TOPIC, STATUSES if supports else STATUS, self)

    def deliver(self, dispatch: Dispatch) -> None:
        self.received.append((dispatch.broadcast.event, dispatch.broadcast.payload))

    def evict(self) -> None:
        raise AssertionError("no one is removed here")

    @property
    def statuses(self) -> list[tuple[str, str, int]]:
        """The device, status and position of each entry received."""
        entries = [each for event, payload in self.received for each in payload.get("statuses", [payload])]
        return [(each["device_id"], each["status"], each["seq"]) for each in entries]


def ack(user_id: str, seq: int, status: Status = "delivered", *, public: bool = True) -> AckResult:
    request = Acknowledgement(user_id, f"{user_id}'s", "group", "g", seq, None, status)
    return AckResult(request, None, seq, moved=True, for_others=status if public else None)


@pytest.fixture
def pubsub(monkeypatch: pytest.MonkeyPatch) -> PubSub:
    monkeypatch.setattr(receipt_broadcaster, "DELAY_SECONDS", 0.01)
    return PubSub()


async def settled() -> None:
    """Wait until everything queued before is broadcast."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(2 * receipt_broadcaster.DELAY_SECONDS, passed.set)
    await passed.wait()


async def test_nothing_is_broadcast_that_no_client_supports(pubsub: PubSub, emitted: list[Event]) -> None:
    broadcaster = ReceiptBroadcaster(pubsub)

    broadcaster.announce(ack("maja", 1))
    Member(pubsub, "emil", supports=False)
    broadcaster.announce(ack("maja", 2))
    await settled()

    events = [event.broadcast_event for event in emitted if isinstance(event, MessageBroadcast)]
    assert events == [STATUS]


async def test_frames_are_linear_in_the_members_of_a_room(pubsub: PubSub) -> None:
    members = [Member(pubsub, f"m{number}") for number in range(MEMBERS)]
    receipts = ReceiptBroadcaster(pubsub)
    pubsub.broadcast(TOPIC, "new_msg", {"seq": 1})
    for number in range(1, MEMBERS):
        receipts.announce(ack(f"m{number}", 1))
    await settled()

    frames = Counter(event for member in members for event, _ in member.received)
    assert frames == {"new_msg": MEMBERS, STATUSES: MEMBERS}
    replies = MEMBERS
    assert frames.total() + replies <= 3 * MEMBERS


async def test_only_the_newest_status_of_a_device_is_sent(pubsub: PubSub) -> None:
    member, receipts = Member(pubsub, "maja"), ReceiptBroadcaster(pubsub)
    for seq in (1, 2):
        receipts.announce(ack("emil", seq))
        receipts.announce(ack("emil", seq, "read"))
        receipts.announce(ack("inga", seq, "read"))
    receipts.announce(ack("inga", 3))
    await settled()

    assert len(member.received) == 1
    assert member.statuses == [("emil's", "read", 2), ("inga's", "delivered", 3), ("inga's", "read", 2)]


async def test_a_client_that_does_not_declare_support_receives_each_status_at_once(pubsub: PubSub) -> None:
    member, receipts = Member(pubsub, "maja", supports=False), ReceiptBroadcaster(pubsub)
    receipts.announce(ack("emil", 1))
    receipts.announce(ack("emil", 2))

    assert [event for event, _ in member.received] == [STATUS, STATUS]
    assert member.received[0][1] == {
        "conversation_id": "g",
        "user_id": "emil",
        "device_id": "emil's",
        "device_kind": None,
        "status": "delivered",
        "seq": 1,
    }
    await settled()
    assert len(member.received) == 2


async def test_a_private_read_reaches_only_the_own_devices(pubsub: PubSub) -> None:
    other, own = Member(pubsub, "maja"), Member(pubsub, "emil")
    receipts = ReceiptBroadcaster(pubsub)
    receipts.announce(ack("emil", 1, "read", public=False))
    receipts.announce(ack("inga", 1))
    await settled()

    assert other.statuses == [("inga's", "delivered", 1)]
    assert sorted(own.statuses) == [("emil's", "read", 1), ("inga's", "delivered", 1)]
