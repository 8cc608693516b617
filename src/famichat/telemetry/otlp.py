"""Exports traces to a collector, by OTLP over HTTP, in a background thread.

Imported only if tracing is configured, because it loads a large library. If the collector is unreachable, traces are
lost, with one warning per batch; messages are not delayed.
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
    """Exports the traces of this process.

    Args:
        endpoint: the collector's address, such as "http://localhost:4318".
    """

    def __init__(self, endpoint: str) -> None:
        # The library logs tracebacks, and a line per lost span. `_Exporter` emits one event per batch instead.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        self._exporter = _Exporter(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=_PATIENCE_SECONDS))
        resource = Resource.create({"service.name": "famichat"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))

    def tracing(self, pseudonym: Pseudonym) -> Tracing:
        """Return a `Tracing` that exports to this collector."""
        return Tracing(self._provider.get_tracer("famichat"), pseudonym)

    def close(self) -> None:
        """Send the queued traces and shut down. Blocks for half a second at most, so shutdown is not delayed."""
        self._exporter.hurry()
        sending = threading.Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        sending.start()
        sending.join(_GOODBYE_SECONDS)
        if sending.is_alive():
            self._exporter.give_up()


class _Exporter(SpanExporter):
    """The exporter of the library, which reports failures as events and gives up early during shutdown."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._hurried = self._gave_up = False
        self._sending = 0

    def hurry(self) -> None:
        """Drop all spans after the next failure."""
        self._hurried = True

    def give_up(self) -> None:
        """Report the batch that is being sent as lost, and drop all later spans."""
        self._gave_up = True
        emit(events.TraceExportFailed(spans=self._sending))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch of spans. A failure is a return value, never an exception."""
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
