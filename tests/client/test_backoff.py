from famichat.client.backoff import JITTER, RECONNECT, Backoff


def test_the_delays_follow_phoenix_within_the_jitter() -> None:
    waits = Backoff(RECONNECT)
    delays = [waits.delay() for _ in range(len(RECONNECT) + 2)]

    for delay, nominal in zip(delays, [*RECONNECT, RECONNECT[-1], RECONNECT[-1]], strict=True):
        assert nominal * (1 - JITTER) <= delay <= nominal * (1 + JITTER)


def test_after_a_success_it_begins_again() -> None:
    waits = Backoff(RECONNECT)
    for _ in range(5):
        waits.delay()
    waits.reset()

    assert waits.delay() <= RECONNECT[0] * (1 + JITTER)


def test_the_server_is_never_asked_before_the_time_that_it_named() -> None:
    assert all(7 <= Backoff(RECONNECT).delay(7) <= 7 * (1 + JITTER) for _ in range(20))


def test_clients_do_not_come_back_at_the_same_moment() -> None:
    assert len({Backoff(RECONNECT).delay() for _ in range(20)}) > 1
