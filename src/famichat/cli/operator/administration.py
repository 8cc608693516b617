"""Runs the operator's methods: in the running server if there is one, otherwise in this process.

    with administration(settings) as call:
        call("user.delete", user_id=user_id)

A running server closes the sockets of people who lose access and notifies the others, so the commands never write
beside it. Without a server, the command takes the lock of the data directory and runs the same method itself.
"""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from anyio.from_thread import start_blocking_portal

from famichat.cli.refusal import Refused
from famichat.endpoint.admin.address import MAX_LINE, PROTOCOL, admin_address
from famichat.settings import Settings
from famichat.storage.data_dir import DataDir, DirectoryInUse

PATIENCE_SECONDS = 5.0
"""How long a process that holds the lock may take to answer; it may be starting."""

_REPLY_SECONDS = 60.0
_POLL_SECONDS = 0.05


class Call(Protocol):
    """Runs a method with its parameters, and returns its result; raises what the action raised."""

    def __call__(self, method: str, **parameters: object) -> dict[str, Any]:
        """Run the method."""
        ...


class ServerError(Exception):
    """An expected error of the running server: the code and details of a `FamichatError`."""

    def __init__(self, code: str, details: dict[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


@contextmanager
def administration(settings: Settings) -> Iterator[Call]:
    """Connect to the running server; if there is none, lock the data directory and build its services here.

    Raises:
        Refused: `directory_in_use` if another process holds the lock and does not answer.
        WrongVaultKeys: without a server, the keys that the data was encrypted with are lost.
    """
    with ExitStack() as stack:
        yield _connect(settings, stack) or _run_here(settings, stack)


def _connect(settings: Settings, stack: ExitStack) -> Call | None:
    """Return the connection to the server; or lock the data directory, and return None."""
    data_dir, deadline = DataDir(settings.data_dir), time.monotonic() + PATIENCE_SECONDS
    while True:
        connection = _Connection.open(data_dir.path)
        if connection is not None:
            stack.callback(connection.close)
            return connection.call
        try:
            stack.enter_context(data_dir.lock())
        except DirectoryInUse as error:
            if time.monotonic() > deadline:
                raise _no_answer(error.process) from None
            time.sleep(_POLL_SECONDS)
        else:
            return None


def _run_here(settings: Settings, stack: ExitStack) -> Call:
    from famichat.app.services import build_services  # noqa: PLC0415 - large, and not needed beside a server
    from famichat.endpoint.admin.methods import OperatorMethods  # noqa: PLC0415 - as above

    portal = stack.enter_context(start_blocking_portal())
    services = stack.enter_context(portal.wrap_async_context_manager(build_services(settings)))
    methods = OperatorMethods(services, lambda: 0)

    def call(method: str, **parameters: object) -> dict[str, Any]:
        return portal.call(methods.call, method, parameters)

    return call


class _Connection:
    """A connection to the admin socket."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._lines = connected.makefile("rb")

    @classmethod
    def open(cls, data_dir: Path) -> Self | None:
        """Connect; return None if no server listens.

        Raises:
            Refused: the server does not answer, or speaks another version of the protocol.
        """
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(PATIENCE_SECONDS)
        try:
            with admin_address(data_dir) as address:
                connected.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            connected.close()
            return None
        connection = cls(connected)
        try:
            greeting = connection._read()
        except BaseException:
            connection.close()
            raise
        if greeting["protocol"] != PROTOCOL:
            connection.close()
            raise Refused("other_release", f"The server runs Famichat {greeting['famichat']}. Use its own command")
        connected.settimeout(_REPLY_SECONDS)
        return connection

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        reply = self._read()
        if "error" not in reply:
            result: dict[str, Any] = reply["result"]
            return result
        data = reply["error"].get("data")
        if data is None:
            raise Refused("invalid_request", reply["error"]["message"])
        raise ServerError(data["code"], data.get("details", {}))

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline(MAX_LINE)
        except TimeoutError:
            raise _no_answer() from None
        if not line:
            raise _no_answer()
        read: dict[str, Any] = json.loads(line)
        return read


def _no_answer(process: str = "") -> Refused:
    which = f" (process {process})" if process else ""
    return Refused("directory_in_use", f"The server is running{which} but does not answer. Stop it, or try again")
