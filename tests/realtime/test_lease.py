"""A lease, and what a node does while it has expired."""

from famichat.realtime.lease import Lease
from famichat.realtime.message import Broadcast
from famichat.realtime.pubsub import PubSub
from tests.realtime.test_pubsub import Listener


class Seconds:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_lasts_from_the_start_of_the_read_that_renewed_it() -> None:
    clock = Seconds()
    lease = Lease(5.0, clock)
    states = [lease.valid]
    started_at = lease.now()
    for passed in (4.9, 0.1):
        clock.now += passed
        lease.renew(started_at)
        states.append(lease.valid)

    assert states == [False, True, False]
    assert round(lease.age, 3) == 5.0


def test_the_clock_of_a_lease_goes_on() -> None:
    lease = Lease(5.0)
    lease.renew(lease.now())

    assert lease.valid


def test_broadcasts_are_held_while_the_lease_has_expired_and_an_evicted_subscriber_gets_none() -> None:
    clock = Seconds()
    lease = Lease(5.0, clock)
    pubsub, stays, leaves = PubSub(lease=lease), Listener("user:stays"), Listener("user:leaves")
    for each in (stays, leaves):
        pubsub.subscribe("a", each)
    lease.renew(lease.now())
    pubsub.broadcast("a", "e", {"n": 1})
    clock.now += 6
    pubsub.broadcast("a", "e", {"n": 2})
    pubsub.broadcast("a", "e", {"n": 3}, only="user:stays")
    assert not pubsub.delivering
    assert [received.payload for received in stays.received] == [{"n": 1}]

    pubsub.unsubscribe("a", leaves)
    lease.renew(lease.now())
    pubsub.release_held()

    assert stays.received == [Broadcast("a", "e", {"n": n}) for n in (1, 2, 3)]
    assert leaves.received == [Broadcast("a", "e", {"n": 1})]


def test_a_held_broadcast_that_cannot_be_delivered_does_not_stop_the_others() -> None:
    class Broken(Listener):
        def deliver(self, dispatch: object) -> None:
            raise TypeError

    lease = Lease(5.0)
    pubsub, listener = PubSub(lease=lease), Listener()
    pubsub.subscribe("a", Broken())
    pubsub.subscribe("b", listener)
    for topic in ("a", "b"):
        pubsub.broadcast(topic, "e", {})
    lease.renew(lease.now())
    pubsub.release_held()

    assert listener.received == [Broadcast("b", "e", {})]
