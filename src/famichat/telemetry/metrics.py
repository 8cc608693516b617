"""Prometheus metrics: counters and histograms of events, and gauges that are read at each scrape."""

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from famichat.telemetry import events
from famichat.telemetry.events import Event

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)
_BATCH = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


class Metrics:
    """A metrics registry. Attach `record` to the event stream, and serve `render()` at `/metrics`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # process_cpu_seconds_total, process_resident_memory_bytes ...
        Info("famichat_build", "The version of this server", registry=self.registry).info(
            {"version": version("famichat")}
        )
        self._events = Counter("famichat_events", "Telemetry events by name", ["name"], registry=self.registry)
        self._counts: dict[str, Counter] = {}
        self._joins = self._histogram("famichat_join_seconds", "Time to join a conversation")
        self._store = self._histogram("famichat_message_store_seconds", "Time from submission to commit")
        self._broadcast = self._histogram("famichat_broadcast_seconds", "Time from receipt of a cause to its broadcast")
        self._acks = self._histogram("famichat_ack_seconds", "Time from an acknowledgement to its commit")
        self._batch = Histogram(
            "famichat_journal_batch_messages", "Messages per commit", buckets=_BATCH, registry=self.registry
        )
        self._dropped = Counter(
            "famichat_broker_messages_dropped", "Dropped broker messages by reason", ["reason"], registry=self.registry
        )
        self._refusals = Counter("famichat_refusals", "Refusals by stable code", ["reason"], registry=self.registry)

    def record(self, event: Event) -> None:
        """Count one event. Labels contain event names and error codes, never ids."""
        count = self._counts.get(event.name)
        if count is None:  # `labels` takes longer than the rest of this method
            count = self._counts[event.name] = self._events.labels(event.name)
        count.inc()
        match event:
            case events.MessageChannelJoined():
                self._joins.observe(event.duration_seconds)
            case events.MessageSent():
                self._store.observe(event.store_seconds)
            case events.MessageBroadcast():
                self._broadcast.observe(event.since_receipt_seconds)
            case events.MessageAcknowledged():
                self._acks.observe(event.duration_seconds)
            case events.JournalBatchWritten():
                self._batch.observe(event.messages)
            case events.BrokerNoteIgnored():
                self._dropped.labels(event.reason).inc()
            case events.ConnectionRefused(reason="application"):
                pass  # the application counts it by its error code
            case events.RequestRefused() | events.ConnectionRefused():
                self._refusals.labels(event.reason).inc()
            case _:
                pass

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Register a gauge.

        Args:
            name: the metric's name, such as "famichat_connections".
            documentation: the help text.
            read: returns the value; called at each scrape.
        """
        Gauge(name, documentation, registry=self.registry).set_function(read)

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self.registry)

    def _histogram(self, name: str, documentation: str) -> Histogram:
        return Histogram(name, documentation, buckets=_SECONDS, registry=self.registry)
