"""The long-poll transport, for networks without WebSockets: an ASGI application (rules 46 to 50).

A client polls with GET for queued frames, and sends its own frames with POST. Every response is HTTP 200 with the real
status in its body, because that is what phoenix.js reads (rule 46).
"""

import asyncio
import base64
import binascii
import contextlib
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from famichat.realtime import strict_json
from famichat.realtime.channel import JoinRefused
from famichat.realtime.events import ChannelFailed, ConnectRefused, LongPollMisrouted, emit
from famichat.realtime.transport import query
from famichat.realtime.transport.endpoint import ConnectRequest, Endpoint, Unavailable
from famichat.realtime.transport.longpoll_session import GONE, OK, SESSION_PREFIX, LongPollSession

_T = TypeVar("_T")

_NO_CONTENT, _FORBIDDEN, _TOO_LARGE, _BROKEN = 204, 403, 413, 500


@dataclass(frozen=True, slots=True)
class ForwardedPoll:
    """A request whose session is on another node.

    Attributes:
        method: "GET" or "POST".
        session: the token of the session.
        content_type: of the body of a POST.
    """

    method: str
    session: str
    content_type: str


class Forwarder(Protocol):
    """Reaches other nodes."""

    def reaches(self, node: str) -> bool:
        """Return whether this node can forward requests to a node."""
        ...

    async def forward(self, node: str, poll: ForwardedPoll, body: bytes) -> bytes | None:
        """Return the reply of another node, see `LongPoll.answer_forwarded`; None if it cannot be reached."""
        ...


@dataclass(frozen=True, slots=True)
class PollRequest:
    """A long-poll request: the session that it names, and the connect request for a new session."""

    session: str | None
    connect: ConnectRequest


class LongPoll:
    """Serves the long polls of an endpoint. Mount it at `<path>/longpoll`.

    Args:
        endpoint: the endpoint.
        node: the id of this node, if there are several: the tokens of sessions name it.
        forwarder: reaches the other nodes; None if there are none.

    Attributes:
        misrouted: how many requests arrived here although another node had their session, which could not be reached.
    """

    def __init__(self, endpoint: Endpoint, node: str = "", forwarder: Forwarder | None = None) -> None:
        self.misrouted = 0
        self._endpoint = endpoint
        self._node = node
        self._forwarder = forwarder
        self._limits = endpoint.limits
        self._sessions: dict[str, LongPollSession] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        with contextlib.suppress(ClientDisconnect):
            response = await self._answer(request)
            await response(scope, receive, send)

    @property
    def sessions(self) -> int:
        """The number of open sessions."""
        return len(self._sessions)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return _preflight(request)
        if request.method not in ("GET", "POST"):
            return Response(status_code=400)
        try:
            return await self._serve(request, read_request(request))
        except ValueError:
            return Response(status_code=400)
        except Unavailable:
            return _status(_BROKEN)  # clients reconnect after this status
        except JoinRefused:
            return _status(_FORBIDDEN)

    async def _serve(self, request: Request, poll_request: PollRequest) -> Response:
        self._endpoint.check_origin(poll_request.connect, LongPollSession.name)
        token = poll_request.session or ""
        session, node = self._sessions.get(token), self._node_of(token)
        if session is None and node is None:
            return _status(GONE) if request.method == "POST" else await self._connect(poll_request.connect)
        body = await self._body(request) if request.method == "POST" else b""
        if body is None:
            return _status(_TOO_LARGE)
        poll = ForwardedPoll(request.method, token, request.headers.get("content-type", ""))
        if session is not None:
            return await self._answer_session(poll, body, session, _hung_up(request))
        if reply := await self._forward(node or "", poll, body, _hung_up(request)):
            return _json(reply)
        return _status(GONE) if request.method == "POST" else await self._connect(poll_request.connect)

    def _node_of(self, token: str) -> str | None:
        """Return the node that has a session, if it is another one that this node may reach."""
        node = token.removeprefix(SESSION_PREFIX).partition(".")[0]
        if not self._node or not token.startswith(SESSION_PREFIX) or node == self._node:
            return None
        if self._forwarder is not None and self._forwarder.reaches(node):
            return node
        self._note_misrouted()
        return None

    def _note_misrouted(self) -> None:
        self.misrouted += 1
        emit(LongPollMisrouted())

    async def answer_forwarded(self, poll: ForwardedPoll, body: bytes, hung_up: Coroutine[Any, Any, None]) -> bytes:
        """Answer a request that another node received.

        Args:
            poll: the request.
            body: its body.
            hung_up: returns when the client has disconnected.

        Returns:
            the body of the response; empty if the session has ended.

        Raises:
            ClientDisconnect: the client has disconnected.
        """
        session = self._sessions.get(poll.session)
        if session is None:
            hung_up.close()
            return b""
        return bytes((await self._answer_session(poll, body, session, hung_up)).body)

    async def _forward(
        self, node: str, poll: ForwardedPoll, body: bytes, hung_up: Coroutine[Any, Any, None]
    ) -> bytes | None:
        """Return the reply of the node that has the session; None if it cannot be reached."""
        if self._forwarder is None:
            hung_up.close()
            return None
        reply = await _unless(hung_up, self._forwarder.forward(node, poll, body))
        if reply is None:
            self._note_misrouted()
        return reply

    async def _answer_session(
        self, poll: ForwardedPoll, body: bytes, session: LongPollSession, hung_up: Coroutine[Any, Any, None]
    ) -> Response:
        if poll.method == "POST":
            hung_up.close()
            return await self._post(poll.content_type, body, session)
        frames = await _unless(hung_up, session.poll())  # a client that hangs up gets them with its next poll
        if frames is None:
            return _status(GONE, session.token, [])
        return _status(OK if frames else _NO_CONTENT, session.token, frames)

    async def _connect(self, connect_request: ConnectRequest) -> Response:
        if len(self._sessions) >= self._limits.longpoll_sessions:
            return _status(_BROKEN)
        try:
            admitted = await self._endpoint.admit(connect_request, LongPollSession.name)
        except JoinRefused:
            raise
        except Exception as fault:  # noqa: BLE001 - a bug of the application; the client gets the status only
            emit(ChannelFailed(stage="connect", error_type=type(fault).__name__, where="connect"))
            return _status(_BROKEN)
        if self._is_full(admitted.client):
            emit(ConnectRefused(transport=LongPollSession.name, reason="crowded"))
            return _status(_BROKEN)
        session = LongPollSession(self._sessions, self._endpoint, admitted, self._node)
        return _status(GONE, session.token, [])

    def _is_full(self, client: str | None) -> bool:
        """Return whether a client, such as a user, has as many sessions as it may have."""
        if client is None:
            return False
        own = sum(session.client == client for session in self._sessions.values())
        return own >= self._limits.longpoll_per_client

    async def _post(self, content_type: str, body: bytes, session: LongPollSession) -> Response:
        if not content_type.startswith("application/x-ndjson"):
            return _status(await session.receive(body, binary=False))
        for line in islice(_lines(body), self._limits.longpoll_lines):
            frame = _frame(line)
            if frame is None:
                session.refuse()
                return _status(GONE)
            status = await session.receive(*frame[:1], binary=frame[1])
            if status != OK:
                return _status(status)
        return _status(OK)

    async def _body(self, request: Request) -> bytes | None:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._limits.max_frame_bytes:
                return None
        return bytes(body)


def read_request(request: Request) -> PollRequest:
    """Read what a request asks for.

    Raises:
        ValueError: its query is malformed.
    """
    query_string = request.scope["query_string"].decode()
    params = query.parse(query_string)
    tokens = [value for name, value in query.pairs(query_string) if name == "token"]
    own = [token for token in tokens if not token.startswith(SESSION_PREFIX)]
    claimed = [token for token in tokens if token.startswith(SESSION_PREFIX)]
    # Both the application's token and the session token are sent as `token` (rule 48). Pass on only the former.
    params.pop("token", None)
    if own:
        params["token"] = own[-1]
    headers = {name.lower(): ", ".join(request.headers.getlist(name)) for name in request.headers}
    connect = ConnectRequest(
        params,
        headers,
        token=headers.get("x-phoenix-authtoken"),
        peer=request.client.host if request.client else None,
        secure=request.url.scheme == "https",
    )
    return PollRequest(headers.get("x-phoenix-longpoll-token") or (claimed[-1] if claimed else None), connect)


async def _unless(hung_up: Coroutine[Any, Any, None], work: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of `work`.

    Raises:
        ClientDisconnect: `hung_up` returned first; `work` was cancelled.
    """
    working, hanging_up = asyncio.ensure_future(work), asyncio.ensure_future(hung_up)
    try:
        await asyncio.wait((working, hanging_up), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        hanging_up.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _lines(body: bytes) -> Iterator[bytes]:
    """Yield the lines one by one, because a list of millions of empty lines would use much memory."""
    start = 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        yield body[start:end]
        start = end + 1


def _frame(line: bytes) -> tuple[bytes, bool] | None:
    if line.startswith((b"[", b"{")):
        return line, False
    try:
        return base64.b64decode(line, validate=True), True
    except binascii.Error:
        return None


def _status(status: int, token: str | None = None, frames: list[bytes] | None = None) -> Response:
    answer: dict[str, Any] = {"status": status}
    if token is not None:
        answer |= {"token": token, "messages": [frame.decode() for frame in frames or []]}
    return _json(strict_json.dumps(answer))


def _json(body: bytes) -> Response:
    headers = {"access-control-allow-origin": "*", "cache-control": "no-store"}
    return Response(body, headers=headers, media_type="application/json")


def _preflight(request: Request) -> Response:
    headers = {
        "access-control-allow-origin": "*",
        "access-control-allow-headers": request.headers.get("access-control-request-headers", ""),
        "access-control-allow-methods": "get, post, options",
        "access-control-max-age": "3600",
    }
    return Response(headers=headers)
