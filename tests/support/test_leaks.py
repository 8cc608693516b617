import logging

from famichat.telemetry import emit, events
from tests.support.leaks import watched

CANARY = "canary of the watcher's own test"


def test_a_secret_in_a_log_an_error_or_an_event_is_seen() -> None:
    logger = logging.getLogger("famichat.leaky")
    fault = ValueError(CANARY)
    with watched((CANARY,)) as leaks:
        logger.warning("signing in with %s", CANARY)
        logger.error("it failed", exc_info=fault)
        emit(events.AuthorizationDenied(door=CANARY, reason="not_found"))
        logger.warning("nothing to see")

    assert [leak.split(",")[0] for leak in leaks] == [
        "famichat.leaky",
        "famichat.leaky",
        "famichat.authorization.denied",
    ]
