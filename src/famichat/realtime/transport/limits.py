"""Limits of frames, queues, connections and timeouts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of the transports. Timeouts are in seconds. Tests use smaller values."""

    max_frame_bytes: int = 10_000_000
    max_fragments: int = 1024
    max_channels: int = 100
    max_connections: int = 20_000
    max_per_address: int = 2_000
    """Connections of one address. Allows a family behind one router, and leaves 90 % to the other addresses."""

    max_per_client: int = 100
    """Connections of one client key (`Connected.client`), such as a user. Enough for every tab of every device."""

    inbox_frames: int = 256
    """Frames of one client that are received but not handled, before reading from it pauses."""
    inbox_bytes: int = 1_048_576
    max_deferred: int = 256
    """Pending deferred replies of one channel."""

    queue_frames: int = 8192
    """Frames queued for one client, before it is disconnected as a slow consumer."""
    queue_bytes: int = 1_048_576

    connect_timeout: float = 10.0
    """How long `SocketHandler.connect` may take."""
    idle_timeout: float = 60.0
    """How long a client may send nothing before it is disconnected (rule 35)."""
    frame_timeout: float = 120.0
    """How long a client may take to send one frame, enough for 1 MiB over a slow network."""
    write_timeout: float = 60.0
    """How long a client may read nothing before it is disconnected as a slow consumer."""
    close_timeout: float = 5.0
    """How long a client may take to answer a close frame before the TCP connection is aborted."""
    shutdown_timeout: float = 5.0
    """How long a channel may keep running after its client has disconnected."""

    longpoll_window: float = 10.0
    """How long a poll waits for frames. A session ends after 1.5 windows without a poll (rule 50)."""
    longpoll_sessions: int = 1000
    longpoll_per_client: int = 20
    longpoll_lines: int = 100
