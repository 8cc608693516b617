"""What a node accepts from the broker: unchanged, recent messages of its own deployment, each once."""

import secrets
from datetime import timedelta

import pytest

from famichat.realtime import broker_envelope
from famichat.realtime.broker_envelope import BrokerEnvelope, MessageDropped
from tests.support.clock import Clock

SECRET, BODY = secrets.token_urlsafe(32), b'[{"kind":"advanced"}]'


def dropped(envelope: BrokerEnvelope, data: bytes) -> str:
    with pytest.raises(MessageDropped) as found:
        envelope.open(data)
    return found.value.reason


def test_a_message_is_opened_by_another_node_and_readable_by_no_one_else() -> None:
    here, there = BrokerEnvelope(SECRET, "a"), BrokerEnvelope(SECRET, "a")
    (sealed,) = here.seal(BODY, 6000)

    assert b"advanced" not in sealed
    assert (there.open(sealed).sender, there.open(here.seal(BODY, 6000)[0]).body) == (here.sender, BODY)


@pytest.mark.parametrize(("secret", "namespace"), [(SECRET, "b"), (SECRET[::-1], "a")], ids=["namespace", "secret"])
def test_a_message_of_another_deployment_is_forged(secret: str, namespace: str) -> None:
    (sealed,) = BrokerEnvelope(secret, namespace).seal(BODY, 6000)

    assert dropped(BrokerEnvelope(SECRET, "a"), sealed) == "forged"


def test_a_message_that_was_changed_anywhere_is_dropped() -> None:
    node, (sealed,) = BrokerEnvelope(SECRET, "a"), BrokerEnvelope(SECRET, "a").seal(BODY, 6000)
    changed = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in range(len(sealed))]

    assert {dropped(node, each) for each in changed} == {"malformed", "forged"}
    assert node.open(sealed).body == BODY


@pytest.mark.parametrize("data", [b"", b"\x01", b"not ours at all", b'{"kind":"broadcast"}', bytes(44), bytes(100)])
def test_anything_else_is_malformed(data: bytes) -> None:
    assert dropped(BrokerEnvelope(SECRET, "a"), data) == "malformed"


def test_a_message_has_an_effect_once() -> None:
    node, other = BrokerEnvelope(SECRET, "a"), BrokerEnvelope(SECRET, "a")
    first, second = other.seal(BODY, 6000) + other.seal(BODY, 6000)
    node.open(second)

    assert [dropped(node, first), dropped(node, second)] == ["repeated", "repeated"]


def test_a_message_is_accepted_for_a_minute_only(clock: Clock) -> None:
    (sealed,) = BrokerEnvelope(SECRET, "a").seal(BODY, 6000)
    clock.jump(timedelta(seconds=broker_envelope.MAX_AGE_SECONDS + 1))

    assert dropped(BrokerEnvelope(SECRET, "a"), sealed) == "old"


def test_a_long_body_is_sent_in_parts_and_dropped_if_one_is_lost() -> None:
    here, there = BrokerEnvelope(SECRET, "a"), BrokerEnvelope(SECRET, "a")
    body = bytes(range(256)) * 100
    parts = here.seal(body, 6000)

    assert max(map(len, parts)) <= 6000
    assert [there.open(part).body for part in parts] == [None] * (len(parts) - 1) + [body]
    lossy = here.seal(body, 6000)
    assert {there.open(part).body for part in lossy[:1] + lossy[2:]} == {None}
    assert there.open(here.seal(BODY, 6000)[0]).body == BODY


def test_a_stranger_cannot_displace_known_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_envelope, "_MAX_SENDERS", 2)
    node, others = BrokerEnvelope(SECRET, "a"), [BrokerEnvelope(SECRET, "a") for _ in range(3)]
    for other in others:
        node.open(other.seal(BODY, 6000)[0])
    dropped(node, BrokerEnvelope(SECRET, "b").seal(BODY, 6000)[0])

    assert list(node._senders) == [other.sender for other in others[1:]]
