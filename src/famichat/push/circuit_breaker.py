"""A circuit breaker per push service: after several requests without a response, it pauses before the next one."""

import time
from collections.abc import Callable
from dataclasses import dataclass

FAILURES = 3
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 600.0
_REMEMBERED = 1000


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: float = 0.0

    @property
    def pause(self) -> float:
        return min(FIRST_PAUSE_SECONDS * 2.0 ** min(self.failures - FAILURES, 10), LONGEST_PAUSE_SECONDS)


class CircuitBreaker:
    """Remembers the services that do not respond, by the origin of their URL.

    The origin includes the port, so a subscription with a wrong port does not affect the service itself.

    Args:
        clock: returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}

    def delay(self, origin: str) -> float:
        """Return the seconds to wait before a request to this origin; 0 permits one now.

        After a pause, one request is permitted as a probe. The others wait for its outcome.
        """
        circuit = self._circuits.get(origin)
        if circuit is None or circuit.failures < FAILURES:
            return 0.0
        now = self._clock()
        if now < circuit.open_until:
            return circuit.open_until - now
        circuit.open_until = now + circuit.pause
        return 0.0

    def record(self, origin: str, *, responded: bool) -> None:
        """Record the outcome of a request."""
        if responded:
            self._circuits.pop(origin, None)
            return
        circuit = self._circuits.setdefault(origin, _Circuit())
        circuit.failures += 1
        if circuit.failures >= FAILURES:
            circuit.open_until = self._clock() + circuit.pause
        if len(self._circuits) > _REMEMBERED:
            del self._circuits[next(iter(self._circuits))]
