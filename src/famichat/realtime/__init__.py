"""Phoenix Channels for Python: topics, channels and presence over WebSocket and long poll.

The package implements the Phoenix wire protocol (serializer versions 1.0.0 and 2.0.0) and knows nothing of the
application. An application subclasses `Channel` and `SocketHandler`, and passes an `Endpoint` to `websocket_protocol`
and `LongPoll`. "Rule n" in comments and tests refers to the numbered rules of the protocol that Phoenix 1.8 speaks.
"""

from famichat.realtime.channel import Channel, ChannelFactory, Deferred, JoinRefused, TerminateReason
from famichat.realtime.message import Broadcast, Payload, Ref, ReplyPayload, error, ok
from famichat.realtime.presence import Presence
from famichat.realtime.pubsub import PubSub
from famichat.realtime.socket import Socket
from famichat.realtime.transport.endpoint import Connected, ConnectRequest, Endpoint, SocketHandler
from famichat.realtime.transport.limits import Limits
from famichat.realtime.transport.longpoll import LongPoll
from famichat.realtime.transport.upgrade_required import UpgradeRequired
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
