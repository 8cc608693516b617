"""The HTTP side of the protocol: sign in, refresh the tokens, and call the REST API."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final, Self

import httpx

from famichat.client.backoff import RECONNECT, Backoff
from famichat.client.errors import Ambiguous, ClientError, Refused, SignedOut, Unreachable, not_utf8, refusal
from famichat.client.saved_session import SavedSession, Session

_TIMEOUT: Final = httpx.Timeout(30, connect=5)
_TRIES: Final = 4
_PROBLEM_FIELDS: Final = frozenset({"type", "title", "status", "detail", "code"})  # RFC 9457, and our code
_NOT_FAMICHAT: Final = "is not a Famichat server"


async def sign_in(
    url: str, username: str, password: str, *, device_name: str, saved: SavedSession | None = None
) -> Session:
    """Sign in with a password. The device appears in the user's list of devices under `device_name`.

    Args:
        url: the server's base URL, such as `https://chat.example.org`.
        username: a username or an e-mail address.
        password: the password.
        device_name: 1 to 64 characters.
        saved: where to store the session.

    Raises:
        Refused: `invalid_credentials`, `rate_limited` or another code.
        Unreachable: the server does not answer.
    """
    session = Session(url.rstrip("/"), "")
    name = {"email" if "@" in username else "username": username}
    async with Http(session) as http:
        given = await http.post("/sessions", {**name, "password": password, "device_name": device_name})
    session = _with_tokens(session, given)
    if saved is not None:
        saved.save(session)
    return session


class Http:
    """Calls the REST API for a device, and refreshes its tokens. Use it with `async with`, or call `aclose`.

    Args:
        session: a session, or the file that stores one. With a file, new tokens are stored before they are used.
            Without one they are kept in memory only, and lost when the process ends.

    Attributes:
        session: the current tokens.

    Raises:
        SignedOut: the file does not exist.
        SessionDamaged: the file cannot be parsed.
    """

    def __init__(self, session: Session | SavedSession) -> None:
        self._saved = session if isinstance(session, SavedSession) else None
        found = session.load() if isinstance(session, SavedSession) else session
        if found is None:
            raise SignedOut("unauthorized", "Sign in first")
        self.session: Session = found
        self._http = httpx.AsyncClient(base_url=f"{found.url}/api/v1", timeout=_TIMEOUT)
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, after a refresh that is in progress: its answer must not be lost."""
        if self._refreshing is not None:
            await asyncio.wait([self._refreshing])
        await self._http.aclose()

    @property
    def user_id(self) -> str | None:
        """The signed-in user; None if only an access token is known."""
        return self.session.user_id

    async def get(self, path: str, **query: Any) -> Any:
        """Send a GET request. Raises as `request` does."""
        return await self.request("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST request. If its response is lost, repeat it once. Raises as `request` does."""
        return await self.request("POST", path, body)

    async def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        """Send a request. If the access token has expired, refresh it and repeat the request once.

        A POST request has a random `Idempotency-Key`, so that a repeat creates nothing twice.

        Args:
            method: the HTTP method.
            path: relative to `/api/v1`, with a leading slash.
            body: sent as JSON.
            query: query parameters.

        Returns:
            The decoded JSON, or None if the response is empty.

        Raises:
            SignedOut: the session has ended.
            Refused: another code of the server.
            Unreachable: no answer, or one that is not Famichat's.
        """
        token = self.session.access_token
        key = str(uuid.uuid4()) if method == "POST" else None
        try:
            return await self._request(method, path, body, query, key)
        except SignedOut as expired:
            # `unauthorized` and a wrong password are 401 too, but a new token does not cure them.
            if expired.code != "invalid_token" or self.session.refresh_token is None:
                raise
        await self.refresh(token)
        return await self._request(method, path, body, query, key)

    async def refresh(self, stale: str) -> None:
        """Exchange the refresh token for new tokens.

        Using a refresh token after its successor signs the device out. So at most one exchange runs at a time, in this
        process and among processes that share a file; it continues when the caller is cancelled; and the new refresh
        token is on disk before the new access token is used.

        If the answer is lost, the next call sends the same refresh token again, which is safe: the server accepts it
        until its successor was used.

        Args:
            stale: the access token that the server no longer accepts. Nothing happens if it was replaced already.

        Raises:
            SignedOut: the session has ended, or cannot be refreshed.
            Refused: `rate_limited` or `unavailable`; try again later.
            Unreachable: the server does not answer.
        """
        if self._refreshing is None or self._refreshing.done():
            if self.session.access_token != stale:
                return
            self._refreshing = asyncio.create_task(self._exchange(), name="famichat token refresh")
            self._refreshing.add_done_callback(_retrieve)
        await asyncio.shield(self._refreshing)

    async def _exchange(self) -> None:
        if self._saved is None:
            self.session = await self._next_session()
            return
        async with self._saved.locked():
            stored = self._saved.load()
            if stored is not None and stored.access_token != self.session.access_token:
                self.session = self._adopt(stored)
                return
            renewed = await self._next_session()
            self._saved.save(renewed)
            self.session = renewed

    def _adopt(self, stored: Session) -> Session:
        """Take the session that another process stored, unless it belongs to another account."""
        if (stored.url, stored.user_id) != (self.session.url, self.session.user_id):
            raise SignedOut("invalid_token", "Another account is signed in now")
        return stored

    async def _next_session(self) -> Session:
        if self.session.refresh_token is None:
            raise SignedOut("invalid_token")
        tokens = {"refresh_token": self.session.refresh_token}
        given = await self._request("POST", "/sessions/refresh", tokens, None, key=None)
        return _with_tokens(self.session, given)

    async def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        key: str | None,
    ) -> Any:
        token = self.session.access_token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if key is not None:
            headers["idempotency-key"] = key
        try:
            request = self._http.build_request(method, path, json=body, params=query, headers=headers)
            response = await self._send(request)
        except (httpx.TransportError, httpx.InvalidURL):
            raise Unreachable(f"Cannot reach {self.session.url}") from None
        except UnicodeEncodeError:
            raise not_utf8() from None
        return _decoded(response, self.session.url)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.send(request)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            if request.method != "POST":
                raise
        return await self._http.send(request)

    async def conversations(self, *, hidden: bool = False, archived: bool = False) -> list[dict[str, Any]]:
        """List the user's conversations, most recent first; see `each_conversation`."""
        return [each async for each in self.each_conversation(hidden=hidden, archived=archived)]

    async def each_conversation(
        self, *, hidden: bool = False, archived: bool = False, page_size: int = 200
    ) -> AsyncIterator[dict[str, Any]]:
        """Page through the user's conversations, most recent first, and yield each once.

        A conversation that becomes active in the meantime moves to the front. So after the last page, the first pages
        are read again until one has nothing new.

        Args:
            hidden: True for the hidden conversations only, False for the others only.
            archived: likewise for archived conversations.
            page_size: the number of conversations per request, 1 to 200.
        """
        query = {"hidden": hidden, "archived": archived, "limit": page_size}
        seen: set[str] = set()
        for again in (False, True):
            pages = 0
            async for page in self._conversation_pages(query):
                new = [each for each in page if each["id"] not in seen]
                if again and not new:
                    return
                for each in new:
                    seen.add(each["id"])
                    yield each
                pages += 1
            if pages == 1:
                return  # a single response is one snapshot

    async def _conversation_pages(self, query: Mapping[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
        cursor: dict[str, str] = {}
        while True:
            page = await self.get("/conversations", **query, **cursor)
            yield page["conversations"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def find_conversation(self, wanted: str) -> dict[str, Any]:
        """Return a conversation.

        Args:
            wanted: its id, its topic, its name, or its type if the user has one of that type.

        Raises:
            Ambiguous: several conversations match.
            Refused: `not_found`.
        """
        found = [each for each in await self.conversations() if wanted in {each["id"], each["name"], each["type"]}]
        if len(found) > 1:
            raise Ambiguous(f"{len(found)} of your conversations are called {wanted}. Use the id instead")
        if found:
            return found[0]
        hidden: dict[str, Any] = await self.get(f"/conversations/{wanted.rpartition(':')[2]}")
        return hidden

    async def people(self) -> list[dict[str, Any]]:
        """List everyone who shares a family or a conversation with the user, and the user."""
        found: list[dict[str, Any]] = (await self.get("/people"))["people"]
        return found

    async def send(
        self, conversation_id: str, body: str, /, *, client_id: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Send one message without opening a socket. Makes up to four attempts; the message is stored once.

        Args:
            conversation_id: the conversation.
            body: the text, at most 64 KiB of UTF-8.
            client_id: identifies the message among all messages of this user; a random UUID by default.
            fields: more fields of `new_msg` in `docs/protocol.md`, such as `reply_to`.

        Returns:
            The message as it is stored.

        Raises:
            Refused: the server does not accept the message.
            Unreachable: no answer after the last attempt. The message may have been stored.
        """
        message = {**fields, "body": body, "client_id": client_id or str(uuid.uuid4())}
        waits, tries = Backoff(RECONNECT), _TRIES
        while True:
            tries -= 1
            try:
                sent: dict[str, Any] = await self.post(f"/conversations/{conversation_id}/messages", message)
            except (Refused, Unreachable) as fault:
                if tries <= 0 or not may_succeed_later(fault):
                    raise
                await asyncio.sleep(waits.delay(fault.retry_in if isinstance(fault, Refused) else None))
            else:
                return sent


def may_succeed_later(fault: ClientError) -> bool:
    """Whether the cause of an error may be gone when the request is repeated."""
    return fault.is_transient if isinstance(fault, Refused) else isinstance(fault, Unreachable)


def _decoded(response: httpx.Response, url: str) -> Any:
    try:
        body = response.json() if response.content else None
    except ValueError:
        raise Unreachable(f"{url} {_NOT_FAMICHAT}") from None
    if response.is_success:
        return body
    if not isinstance(body, dict) or "code" not in body:
        raise Unreachable(f"{url} {_NOT_FAMICHAT}")
    details = {name: value for name, value in body.items() if name not in _PROBLEM_FIELDS}
    raise refusal(str(body["code"]), str(body.get("detail") or body.get("title") or ""), details)


def _with_tokens(session: Session, given: dict[str, Any]) -> Session:
    return replace(
        session,
        access_token=given["access_token"],
        refresh_token=given["refresh_token"],
        user_id=given["user"]["id"],
        username=given["user"]["username"],
    )


def _retrieve(task: asyncio.Task[None]) -> None:
    """Mark the exception as seen: if every caller was cancelled, asyncio would log it as never retrieved."""
    if not task.cancelled():
        task.exception()
