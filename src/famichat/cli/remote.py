"""The server, as a command uses it: the client's asynchronous calls, run to their end, with errors for people."""

import asyncio
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from famichat.cli.refusal import Refused
from famichat.client import ClientError, SavedSession, Session
from famichat.client.http import Http

Result = TypeVar("Result")


class Remote:
    """A signed-in device at a server. Use it with `with`.

    Args:
        source: a session, or the file that stores one.

    Attributes:
        source: as above.
        client: the HTTP client. The socket is left to `famichat listen`, because other commands start faster without.

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
        """Send a GET request to the REST API. Raises as `ask` does."""
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST request to the REST API. Raises as `ask` does."""
        return self.ask("POST", path, body)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Any = None) -> Any:
        """Send a request to the REST API; see `famichat.client.http.Http.request`.

        Raises:
            Refused: with the server's code; `unreachable` if there is no answer.
        """
        return self.run(self.client.request(method, path, body, query))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine of the client to its end.

        Raises:
            Refused: with the code of the client's error.
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
    """The client's error as a command reports it."""
    if fault.code == "session_damaged":
        return Refused(fault.code, f"{fault.message} with `famichat login`")
    return Refused(fault.code, fault.message)


async def _opened(source: Session | SavedSession) -> Http:
    return Http(source)
