from famichat.push.circuit_breaker import FAILURES, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, CircuitBreaker

SLOW, QUICK = "https://slow.example", "https://quick.example"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def failing(breaker: CircuitBreaker, times: int = FAILURES) -> None:
    for _ in range(times):
        breaker.record(SLOW, responded=False)


def test_a_service_that_does_not_respond_gets_a_pause_and_others_do_not() -> None:
    breaker = CircuitBreaker(Clock())
    failing(breaker, FAILURES - 1)
    assert breaker.delay(SLOW) == 0
    failing(breaker, 1)

    assert breaker.delay(SLOW) == FIRST_PAUSE_SECONDS
    assert breaker.delay(QUICK) == 0


def test_after_the_pause_one_request_probes_the_service() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    failing(breaker)
    clock.seconds += FIRST_PAUSE_SECONDS

    assert breaker.delay(SLOW) == 0
    assert breaker.delay(SLOW) == FIRST_PAUSE_SECONDS
    breaker.record(SLOW, responded=True)
    assert breaker.delay(SLOW) == 0


def test_pauses_grow_up_to_a_limit() -> None:
    breaker = CircuitBreaker(Clock())
    failing(breaker)
    pauses = []
    for _ in range(6):
        pauses.append(breaker.delay(SLOW))
        failing(breaker, 1)

    assert pauses == [30, 60, 120, 240, 480, LONGEST_PAUSE_SECONDS]


def test_only_a_limited_number_of_services_is_remembered() -> None:
    breaker = CircuitBreaker(Clock())
    for number in range(2000):
        breaker.record(f"https://{number}.example", responded=False)

    assert len(breaker._circuits) == 1000
