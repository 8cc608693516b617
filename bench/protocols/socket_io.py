"""socket.io (Engine.IO 4) over WebSocket."""

from bench.generator import UPGRADE, Client, Protocol, Talk, body, websocket_frame


class SocketIo(Protocol):
    """Clients of the server in `bench/servers/socket_io/server.cjs`, which stores nothing."""

    async def sign_in(self, user: int) -> Client:
        """Connect, and join the user's own room."""
        client = await Client(user).connect(self.port)
        client.write(UPGRADE.format(path="/socket.io/?EIO=4&transport=websocket", port=self.port).encode())
        await client.expect('"sid"')
        client.write(websocket_frame(b"40"))
        await client.expect('40{"sid"')
        client.write(websocket_frame(b'42["enter","user %d"]' % user))
        return client

    async def enter(self, client: Client, talk: Talk) -> None:
        """Join a room; a pair needs nothing."""
        if talk.kind == "room":
            client.write(websocket_frame(b'42["enter","room %d"]' % talk.number))

    def message(self, client: Client, talk: Talk, stamp: int) -> bytes:
        """Encode an event that the server relays."""
        return websocket_frame(b'42["relay","%s","%s"]' % (self._room(client, talk), body(stamp)))

    def receipt(self, client: Client, talk: Talk, data: bytes) -> bytes:
        """Encode an acknowledgement that the server relays, too."""
        return websocket_frame(b'42["relay","%s","received"]' % self._room(client, talk))

    @staticmethod
    def _room(client: Client, talk: Talk) -> bytes:
        return b"room %d" % talk.number if talk.kind == "room" else b"user %d" % (client.user ^ 1)
