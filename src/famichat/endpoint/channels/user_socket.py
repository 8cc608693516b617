"""Authenticates sockets and maps topics to channels."""

from functools import partial

from famichat.accounts.sign_in.token import Identity
from famichat.actions.events.topics import user_ids
from famichat.actions.rate_limit import FRAME_BYTES_PER_TOKEN, RateLimited
from famichat.endpoint.channels.connected_device import ConnectedDevice
from famichat.endpoint.channels.message_channel import MessageChannel
from famichat.endpoint.channels.unknown_channel import UnknownChannel
from famichat.endpoint.channels.user_channel import UserChannel
from famichat.endpoint.denials import report_denied
from famichat.endpoint.http.context import Context
from famichat.errors import FamichatError
from famichat.realtime.channel import Channel, JoinRefused
from famichat.realtime.socket import Socket
from famichat.realtime.transport.endpoint import (
    Connected,
    ConnectRequest,
    SocketHandler,
    TooManyConnections,
    Unavailable,
)
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events


class UserSocket(SocketHandler):
    """Authenticates a device by its access token: Phoenix's `authToken` or, for older clients, `?token=`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.channels = [
            ("message:*", self._message_channel),
            ("user:*", self._user_channel),
            ("*", UnknownChannel),
        ]

    async def connect(self, request: ConnectRequest) -> Connected:
        """Authenticate a new socket, and return its user and device.

        Raises:
            JoinRefused: the token is missing, malformed, expired or revoked.
            Unavailable: the database did not answer, so the token cannot be checked.
            TooManyConnections: the device connects too often.
        """
        try:
            identity = await self._context.identify(request.token or request.params.get("token"))
            self._context.rate_limits.check("connect", identity)
        except FamichatError as fault:
            report_denied("socket", fault)
            emit(events.RequestRefused(door="socket", reason=fault.code))
            raise _refusal(fault)(fault.code) from fault
        return Connected(
            user_ids(identity.user_id, identity.device_id),
            ConnectedDevice(identity),
            client=identity.user_id,
            pace=partial(self._pace, identity),
        )

    def _pace(self, identity: Identity, size: int) -> float:
        """Count a frame, whether or not a channel receives it; see `Connected.pace`."""
        return self._context.rate_limits.wait("frame", identity, cost=1 + size / FRAME_BYTES_PER_TOKEN)

    def _message_channel(self, socket: Socket, topic: str) -> Channel:
        return MessageChannel(socket, topic, self._context)

    def _user_channel(self, socket: Socket, topic: str) -> Channel:
        return UserChannel(socket, topic, self._context)


def _refusal(fault: FamichatError) -> type[JoinRefused]:
    """Return how to refuse a client. After a 403, clients assume that their token is invalid."""
    if isinstance(fault, RateLimited):
        return TooManyConnections
    return Unavailable if isinstance(fault, StorageUnavailable) else JoinRefused
