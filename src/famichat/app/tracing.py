"""Exports traces, if the settings name a collector."""

from famichat.app.lifecycle import Lifecycle
from famichat.settings import Settings
from famichat.storage.crypto.vault import BlindIndex
from famichat.telemetry.tracing import Tracing

_PSEUDONYM_LETTERS = 32


def build_tracing(settings: Settings, index: BlindIndex, lifecycle: Lifecycle) -> Tracing | None:
    """Start to export traces; return None if the settings name no collector.

    Args:
        settings: the collector's address, and whether traces contain ids or pseudonyms.
        index: computes the pseudonyms.
        lifecycle: sends the last traces when the process stops.
    """
    if settings.otlp_endpoint is None:
        return None
    from famichat.telemetry.otlp import Collector  # noqa: PLC0415 - a large library that only tracing needs

    collector = Collector(settings.otlp_endpoint)
    lifecycle.on_stop_in_thread(collector.close)
    if settings.telemetry_ids == "plain":
        return collector.tracing(str)
    return collector.tracing(lambda id_: index.digest("telemetry", id_).hex()[:_PSEUDONYM_LETTERS])
