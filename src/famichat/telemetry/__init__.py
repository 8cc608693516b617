"""What Famichat says about itself: typed events, and those who listen to them."""

from famichat.telemetry.bus import attach, emit

__all__ = ["attach", "emit"]
