"""How much one client may ask of the server, and how long it may keep it waiting."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of the wire, in bytes, seconds and numbers of things; tests shrink them."""

    max_frame_bytes: int = 10_000_000
    max_fragments: int = 1024
    max_channels: int = 100
    max_connections: int = 20_000
    max_per_address: int = 2_000
    """Of these, from one address: a whole family behind one router, and a tenth of the room for one stranger."""

    inbox_frames: int = 256
    """Frames received and not yet dealt with, from one client, before reading from it pauses."""
    inbox_bytes: int = 1_048_576
    max_deferred: int = 256
    """Replies that one channel may owe."""

    queue_frames: int = 8192
    """Frames waiting for one client to read them, before it is closed as a slow consumer."""
    queue_bytes: int = 1_048_576

    connect_timeout: float = 10.0
    """How long the application may take to decide about a connection."""
    idle_timeout: float = 60.0
    """How long a client may send nothing at all."""
    close_timeout: float = 5.0
    """How long a client has to answer a close before the line is cut."""
    shutdown_timeout: float = 5.0
    """How long a channel whose client is gone may go on."""

    longpoll_window: float = 10.0
    """How long a poll waits for news; a session ends after one and a half windows without a poll."""
    longpoll_sessions: int = 1000
    longpoll_lines: int = 100
