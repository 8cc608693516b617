"""Phoenix Channels for Python: topics, channels and presence over WebSocket and long poll.

Knows nothing of what is said over it. An application subclasses `Channel` and `SocketHandler`, and hands an
`Endpoint` to `websocket_protocol` and `LongPoll`.
"""

from famichat.realtime.channel import Channel, ChannelFactory, Deferred, JoinRefused, TerminateReason
from famichat.realtime.message import Broadcast, Payload, Ref, ReplyPayload, error, ok
from famichat.realtime.presence import Presence
from famichat.realtime.pubsub import PubSub
from famichat.realtime.socket import Socket
from famichat.realtime.transport.endpoint import Connected, ConnectRequest, Endpoint, SocketHandler
from famichat.realtime.transport.limits import Limits
from famichat.realtime.transport.longpoll import LongPoll, UpgradeRequired
from famichat.realtime.transport.websocket import websocket_protocol

__all__ = [
    "Broadcast",
    "Channel",
    "ChannelFactory",
    "ConnectRequest",
    "Connected",
    "Deferred",
    "Endpoint",
    "JoinRefused",
    "Limits",
    "LongPoll",
    "Payload",
    "Presence",
    "PubSub",
    "Ref",
    "ReplyPayload",
    "Socket",
    "SocketHandler",
    "TerminateReason",
    "UpgradeRequired",
    "error",
    "ok",
    "websocket_protocol",
]
