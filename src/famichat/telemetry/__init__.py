"""Telemetry: typed events, and the logs, metrics and traces that are made from them."""

from famichat.telemetry.bus import attach, emit

__all__ = ["attach", "emit"]
