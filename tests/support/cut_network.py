"""A host behind a router, both in network namespaces of their own: the router can drop all packets silently.

    test -- router -- host

A listening socket of the host is used like any other, because a socket belongs to the namespace that it was made in.
"""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

_CLONE_NEWNET: Final = 0x40000000
_numbers = count(os.getpid() * 4)


class CutNetwork:
    """Two namespaces. `cut` and `heal` drop and forward the packets between the test and the host.

    Args:
        number: identifies it on this machine; below 16,384.
    """

    def __init__(self, number: int) -> None:
        self._router, self._host = f"fcr{number}", f"fch{number}"
        high, low = divmod(number, 256)
        self._near, self._far = f"10.{64 + high}.{low}", f"10.{128 + high}.{low}"
        self.address = f"{self._far}.2"

    def make(self) -> None:
        """Make the namespaces and the links between them."""
        _ip(f"netns add {self._router}", f"netns add {self._host}")
        _ip(
            f"link add {self._router} type veth peer name eth0 netns {self._router}",
            f"-n {self._router} link add eth1 type veth peer name eth0 netns {self._host}",
            f"addr add {self._near}.1/30 dev {self._router}",
            f"-n {self._router} addr add {self._near}.2/30 dev eth0",
            f"-n {self._router} addr add {self._far}.1/30 dev eth1",
            f"-n {self._host} addr add {self.address}/30 dev eth0",
            f"link set {self._router} up",
            f"-n {self._router} link set eth0 up",
            f"-n {self._router} link set eth1 up",
            f"-n {self._host} link set eth0 up",
            f"-n {self._host} route add default via {self._far}.1",
            f"route add {self._far}.0/30 via {self._near}.2",
            f"netns exec {self._router} sysctl -q -w net.ipv4.ip_forward=1",
        )

    def remove(self) -> None:
        """Remove the namespaces, and with them the links and routes."""
        for name in (self._router, self._host):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def cut(self) -> None:
        """Drop every packet in both directions. Neither end notices."""
        self._drop("add")

    def heal(self) -> None:
        """Forward packets again."""
        self._drop("del")

    def listener(self) -> socket.socket:
        """A listening socket on a free port of the host."""
        made: list[socket.socket] = []

        def inside() -> None:
            with open(f"/run/netns/{self._host}", "rb") as namespace:  # noqa: PTH123 - a file descriptor is needed
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.create_server((self.address, 0)))

        thread = threading.Thread(target=inside)  # its namespace ends with it
        thread.start()
        thread.join()
        return made[0]

    def _drop(self, action: str) -> None:
        for side in ("eth0", "eth1"):
            _ip(f"-n {self._router} rule {action} iif {side} blackhole")


def _ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)


@contextmanager
def cut_network() -> Iterator[CutNetwork]:
    """Make a network for the block. Needs root."""
    network = CutNetwork(next(_numbers) % 16384)
    try:
        network.make()
        yield network
    finally:
        network.remove()
