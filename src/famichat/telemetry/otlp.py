"""Sends traces to a collector, by OTLP over HTTP, from a thread of its own.

Imported only where traces are wanted, because it brings a large library. A collector that is away costs traces and one
warning for each batch; it never holds up a message.
"""

import logging
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from famichat.telemetry import emit, events
from famichat.telemetry.tracing import Pseudonym, Tracing

_PATIENCE_SECONDS = 3
_GOODBYE_SECONDS = 0.5


class Collector:
    """Where the traces of this process go.

    Args:
        endpoint: the collector's address, such as "http://localhost:4318".
    """

    def __init__(self, endpoint: str) -> None:
        # Its loggers write tracebacks, and a line for each span that is lost; `_Exporter` says it in one event.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        self._exporter = _Exporter(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=_PATIENCE_SECONDS))
        resource = Resource.create({"service.name": "famichat"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))

    def tracing(self, pseudonym: Pseudonym) -> Tracing:
        """Traces that go there."""
        return Tracing(self._provider.get_tracer("famichat"), pseudonym)

    def close(self) -> None:
        """Send what waits, but let no collector hold up the end of the server. Blocks for half a second at most."""
        self._exporter.hurry()
        sending = threading.Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        sending.start()
        sending.join(_GOODBYE_SECONDS)
        if sending.is_alive():
            self._exporter.give_up()


class _Exporter(SpanExporter):
    """As the library's, but telling of a failure by an event, and giving up at once when the server stops."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._hurried = self._gave_up = False
        self._sending = 0

    def hurry(self) -> None:
        """From now on, drop everything after the first failure."""
        self._hurried = True

    def give_up(self) -> None:
        """Count as lost what is being sent, and everything after it."""
        self._gave_up = True
        emit(events.TraceExportFailed(spans=self._sending))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; failing is an answer, never an exception."""
        if self._gave_up:
            return SpanExportResult.FAILURE
        self._sending = len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS and not self._gave_up:
            self._gave_up = self._hurried
            emit(events.TraceExportFailed(spans=len(spans)))
        return result

    def shutdown(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()
