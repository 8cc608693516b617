"""A client that joins a conversation and then never reads again."""

import json
import socket
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from tests.support.chatter import Seat

ESTABLISHED: Final = "01"  # of the kernel's tcp_states.h
RECEIVE_BUFFER: Final = 4096


class StuckReader:
    """Holds its connection open with a tiny receive buffer. Use it as a context manager.

    Args:
        url: where the server's socket is.
        seat: who, and in which conversation.
        after: the last seq that it claims to have.
    """

    def __init__(self, url: str, seat: Seat, after: int) -> None:
        url = f"{url}?vsn=2.0.0&token={seat.token}"
        address = urlsplit(url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.settimeout(5)
        self._socket.connect((address.hostname, address.port))
        self._protocol = ClientProtocol(parse_uri(url))
        self._open()
        self._join(seat.topic, after)

    @property
    def is_cut(self) -> bool:
        """Whether the server has closed the connection. This client cannot see it: the close stays unread."""
        ours, servers = self._socket.getsockname()[1], self._socket.getpeername()[1]
        with Path("/proc/net/tcp").open() as connections:
            fields = [line.split() for line in connections]
        ends = {(_port(local), _port(remote)): state for _, local, remote, state, *_ in fields[1:]}
        return ends.get((servers, ours)) != ESTABLISHED

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _open(self) -> None:
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while self._protocol.state is State.CONNECTING:
            self._protocol.receive_data(self._socket.recv(4096))
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc

    def _join(self, topic: str, after: int) -> None:
        self._protocol.send_text(json.dumps(["1", "1", topic, "phx_join", {"last_seq": after}]).encode())
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self._socket.sendall(data)


def _port(address: str) -> int:
    return int(address.partition(":")[2], 16)
