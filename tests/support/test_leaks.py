import logging

import httpx
import pytest

from famichat.telemetry import emit, events
from famichat.telemetry.metrics import Metrics
from tests.support import leaks
from tests.support.app import hooks
from tests.support.leaks import watched
from tests.support.otlp import collector

CANARY = "canary of a test of the watcher"


def tellers(reported: list[str]) -> list[str]:
    return [leak.split(",")[0] for leak in reported]


def test_a_secret_in_a_log_an_error_or_an_event_is_seen() -> None:
    logger = logging.getLogger("famichat.leaky")
    fault = ValueError(CANARY)
    with watched((CANARY,)) as reported:
        logger.warning("signing in with %s", CANARY)
        logger.error("it failed", exc_info=fault)
        logger.debug("%s, said quietly", CANARY)
        emit(events.AuthorizationDenied(door=CANARY, reason="not_found"))
        logger.warning("nothing to see")

    assert tellers(reported) == ["famichat.leaky"] * 3 + ["famichat.authorization.denied"]


@pytest.mark.parametrize("name", ["body", "access_token", "password", "email"])
def test_a_text_that_a_test_sent_counts_as_a_secret(name: str) -> None:
    logger = logging.getLogger("famichat.leaky")
    with watched(()) as reported:
        logger.warning("dinner at six, in confidence")
        leaks.remember({"messages": [{name: "dinner at six, in confidence"}], "name": "the whole family"})
        logger.warning("dinner at six, in confidence")
        logger.warning("the whole family")

    assert tellers(reported) == ["famichat.leaky"]


def test_identifiers_of_the_program_are_never_secrets() -> None:
    with watched(()) as reported:
        leaks.remember({"body": events.AuthorizationDenied.name})
        emit(events.AuthorizationDenied(door="socket", reason="not_found"))
        logging.getLogger("famichat.leaky").warning(events.AuthorizationDenied.name)

    assert reported == []


def test_a_secret_among_the_metrics_or_the_spans_is_seen() -> None:
    metrics = Metrics()
    metrics.record(events.RequestRefused(door="http", reason=CANARY))
    with watched((CANARY,)) as reported, collector() as traces:
        metrics.render()
        httpx.post(f"{traces.url}/v1/traces", content=_span_named(CANARY))

    assert tellers(reported) == ["metrics", "spans"]


async def test_an_error_that_repeats_the_request_is_seen() -> None:
    async def echo(request: httpx.Request) -> httpx.Response:
        kind = "application/problem+json" if request.url.path == "/refused" else "application/json"
        return httpx.Response(422, content=request.content, headers={"content-type": kind})

    async with httpx.AsyncClient(transport=httpx.MockTransport(echo), event_hooks=hooks(), base_url="http://x") as http:
        with watched(()) as reported:
            await http.post("/refused", json={"body": CANARY})
            await http.post("/answered", json={"body": CANARY})

    assert tellers(reported) == ["an error answer"]


def _span_named(name: str) -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: PLC0415

    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add().name = name
    return bytes(request.SerializeToString())
