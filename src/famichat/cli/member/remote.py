"""A synchronous wrapper around the HTTP client, for commands. It converts client errors to `Refused`."""

import asyncio
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from famichat.cli.refusal import Refused
from famichat.client import ClientError, SavedSession, Session
from famichat.client.http import Http

Result = TypeVar("Result")


class Remote:
    """A connection to a server as a signed-in device. Use it in a `with` statement.

    Args:
        source: a session, or the file in which one is saved.

    Attributes:
        source: as above.
        client: the HTTP client. Only `famichat listen` opens a WebSocket, so that other commands start faster.

    Raises:
        Refused: `unauthorized` if the file does not exist, `session_damaged` if it cannot be parsed.
    """

    def __init__(self, source: Session | SavedSession) -> None:
        self.source = source
        self._runner = asyncio.Runner()
        self.client = self.run(_opened(source))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    @property
    def session(self) -> Session:
        """The current tokens."""
        return self.client.session

    def get(self, path: str, **query: Any) -> Any:
        """Send a GET request to the HTTP API; see `request`."""
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST request to the HTTP API; see `request`."""
        return self.request("POST", path, body)

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Any = None) -> Any:
        """Send a request to the HTTP API and return the parsed response; see `famichat.client.http.Http.request`.

        Args:
            method: the HTTP method.
            path: the path below `/api/v1`.
            body: the JSON body; None sends no body.
            query: the query parameters; None sends none.

        Raises:
            Refused: with the server's error code, or `unreachable` if the server does not respond.
        """
        return self.run(self.client.request(method, path, body, query))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine of the client and return its result.

        Raises:
            Refused: the client raised an error; with the same code.
        """
        try:
            return self._runner.run(work)
        except ClientError as fault:
            raise as_refused(fault) from None

    def close(self) -> None:
        """Close the connections and the event loop."""
        self._runner.run(self.client.aclose())
        self._runner.close()


def as_refused(fault: ClientError) -> Refused:
    """Convert an error of the client to the one that a command prints."""
    if fault.code == "session_damaged":
        return Refused(fault.code, f"{fault.message} with `famichat login`")
    return Refused(fault.code, fault.message)


async def _opened(source: Session | SavedSession) -> Http:
    return Http(source)
