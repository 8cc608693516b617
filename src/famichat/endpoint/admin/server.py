"""The admin socket of a running server: JSON-RPC 2.0 over a Unix socket, for the operator's commands.

Only the server's own user and root can connect: the file system says so (0600 in a directory of 0700), and the server
checks it again with the credentials of the connecting process. Parameters and results, which contain passwords and
links, never reach a log; the method, the uid and the outcome do.
"""

import asyncio
import os
import socket
import struct
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from famichat.endpoint.admin.address import FOLDER, MAX_LINE, PROTOCOL, REFUSED, SOCKET, bound
from famichat.endpoint.admin.methods import OperatorMethods, UnknownMethod
from famichat.error_codes import CODES
from famichat.errors import FamichatError
from famichat.realtime import strict_json
from famichat.telemetry import emit, events
from famichat.telemetry.crash import report_crash

MAX_CONNECTIONS = 8
_DRAIN_SECONDS = 10.0
_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND, _INVALID_PARAMS, _INTERNAL_ERROR = (
    -32700,
    -32600,
    -32601,
    -32602,
    -32603,
)
_UCRED: Final = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    jsonrpc: Literal["2.0"]
    id: int | str
    method: str
    params: dict[str, Any] = {}


class AdminServer:
    """Serves the admin socket. Open it in the process that holds the lock of the data directory.

    Args:
        data_dir: where the socket is.
        methods: runs the requests.
    """

    def __init__(self, data_dir: Path, methods: OperatorMethods) -> None:
        self._data_dir = data_dir
        self._methods = methods
        self._connections: dict[asyncio.Task[Any], asyncio.StreamReader] = {}
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Start to accept connections.

        Raises:
            OSError: the socket cannot be created.
        """
        self._server = await asyncio.start_unix_server(self._accept, sock=bound(self._data_dir, SOCKET), limit=MAX_LINE)

    async def close(self) -> None:
        """Accept no more connections, wait for the requests that are running, and delete the socket.

        The directory is then one of plain files, which every program can copy.
        """
        if self._server is not None:
            self._server.close()
            (self._data_dir / FOLDER / SOCKET).unlink(missing_ok=True)
        for reader in self._connections.values():
            reader.feed_eof()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_DRAIN_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = _peer_uid(writer)
        task = asyncio.current_task()
        if task is None or uid not in {0, os.geteuid()} or len(self._connections) >= MAX_CONNECTIONS:
            emit(events.OperatorConnectionRefused(uid=uid))
            writer.close()
            return
        self._connections[task] = reader
        try:
            await self._serve(reader, writer, uid)
        except (ConnectionError, ValueError):
            pass  # the command has ended, or sent a line that is too long
        finally:
            del self._connections[task]
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, uid: int) -> None:
        writer.write(strict_json.dumps({"famichat": version("famichat"), "protocol": PROTOCOL}) + b"\n")
        while line := await reader.readline():
            writer.write(strict_json.dumps(await self._reply(line, uid)) + b"\n")
            await writer.drain()

    async def _reply(self, line: bytes, uid: int) -> dict[str, Any]:
        try:
            request = _Request.model_validate(strict_json.loads(line))
        except strict_json.InvalidJSON:
            return _error(None, _PARSE_ERROR, "Parse error")
        except ValidationError:
            return _error(None, _INVALID_REQUEST, "Invalid Request")
        reply = await self._run(request)
        emit(events.OperatorMethodCalled(method=request.method, uid=uid, outcome=_outcome(reply)))
        return reply

    async def _run(self, request: _Request) -> dict[str, Any]:
        try:
            result = await self._methods.call(request.method, request.params)
        except UnknownMethod:
            return _error(request.id, _METHOD_NOT_FOUND, "Method not found")
        except ValidationError as fault:
            # Name the parameters and not their values, which may be passwords.
            names = sorted({str(each["loc"][0]) for each in fault.errors(include_input=False) if each["loc"]})
            return _error(request.id, _INVALID_PARAMS, f"Invalid params: {', '.join(names)}")
        except FamichatError as fault:
            data = {"code": fault.code, "details": fault.details}
            return _error(request.id, REFUSED, CODES[fault.code].title, data)
        except Exception as fault:  # noqa: BLE001 - a bug must not close the connection of other requests
            report_crash("admin socket", fault)
            return _error(request.id, _INTERNAL_ERROR, CODES["internal_error"].title, {"code": "internal_error"})
        return {"jsonrpc": "2.0", "id": request.id, "result": result}


def _error(request_id: int | str | None, code: int, message: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    error = {"code": code, "message": message, **({} if data is None else {"data": data})}
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def _outcome(reply: dict[str, Any]) -> str:
    if "result" in reply:
        return "ok"
    code: str = reply["error"].get("data", {}).get("code", "invalid_request")
    return code


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    """Return the uid of the connected process. Only Linux reports it; elsewhere, the mode of the directory protects."""
    if sys.platform != "linux":
        return os.geteuid()
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(credentials)[1]
    return uid
