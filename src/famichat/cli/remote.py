"""A server somewhere, as a person who is signed in there sees it over HTTP."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import httpx

from famichat.cli.refusal import Refused
from famichat.cli.saved_session import SavedSession, SignedIn
from famichat.error_codes import CODES

_PATIENCE = httpx.Timeout(30, connect=5)


class Remote:
    """Asks a server, and says in one sentence why it refuses.

    Args:
        session: who asks.
        saved: where a renewed session is kept; None if it cannot be renewed.
    """

    def __init__(self, session: SignedIn, saved: SavedSession | None = None) -> None:
        self.session = session
        self._saved = saved
        self._http = httpx.Client(base_url=f"{session.url}/api/v1", timeout=_PATIENCE)

    @classmethod
    def sign_in(cls, url: str, name: str, password: str, device_name: str) -> Self:
        """Sign in with a password.

        Raises:
            Refused: `invalid_credentials`, or whatever else the server says.
        """
        url = url.rstrip("/")
        called = {"email" if "@" in name else "username": name}
        stranger = cls(SignedIn(url, ""))
        given = stranger.ask("POST", "/sessions", {**called, "password": password, "device_name": device_name})
        return cls(_signed_in(SignedIn(url, ""), given))

    def get(self, path: str, **query: Any) -> Any:
        """Ask for something."""
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask for something to be done."""
        return self.ask("POST", path, body)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Any = None) -> Any:
        """Make one request; again, with a renewed session, if the old one has expired.

        Raises:
            Refused: with the server's code; `unreachable` if it does not answer.
        """
        answered = self._send(method, path, body, query)
        if answered.status_code == httpx.codes.UNAUTHORIZED and self.can_renew:
            self.renew()
            answered = self._send(method, path, body, query)
        return _understood(answered, self.session.url)

    @property
    def can_renew(self) -> bool:
        """Whether an expired session can be renewed without the password."""
        return self._saved is not None and self.session.refresh_token is not None

    def renew(self) -> None:
        """Exchange the session's tokens for new ones.

        Raises:
            Refused: the session is over; a password is needed.
        """
        if self._saved is None or not self.can_renew:
            raise Refused("invalid_token")
        self.session = self._saved.renew(self.session, self._exchange)

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _exchange(self, old: SignedIn) -> SignedIn:
        answered = self._send("POST", "/sessions/refresh", {"refresh_token": old.refresh_token}, None)
        return _signed_in(old, _understood(answered, old.url))

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, query: Any) -> httpx.Response:
        token = self.session.access_token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            return self._http.request(method, path, json=body, params=query, headers=headers)
        except (httpx.TransportError, httpx.InvalidURL):
            raise Refused("unreachable", f"Cannot reach {self.session.url}") from None


def _understood(answered: httpx.Response, url: str) -> Any:
    try:
        body = answered.json() if answered.content else None
    except ValueError:
        raise Refused("unreachable", f"{url} is not a Famichat server") from None
    if answered.is_success:
        return body
    problem = body if isinstance(body, dict) else {}
    code = str(problem.get("code", "unreachable"))
    sentence = problem.get("detail") or problem.get("title") or f"{url} is not a Famichat server"
    raise Refused(code, "" if code in CODES and not problem.get("detail") else str(sentence))


def _signed_in(old: SignedIn, given: dict[str, Any]) -> SignedIn:
    return replace(
        old,
        access_token=given["access_token"],
        refresh_token=given["refresh_token"],
        user_id=given["user"]["id"],
        username=given["user"]["username"],
    )
