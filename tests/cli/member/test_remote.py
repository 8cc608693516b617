import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from famichat.cli.member.remote import Remote
from famichat.cli.refusal import Refused
from famichat.client import Session


class Strange(BaseHTTPRequestHandler):
    """A server other than Famichat. The path selects the response: /status/kind."""

    def do_GET(self) -> None:
        _, _, _, status, kind = self.path.split("/")
        bodies = {"page": b"<html>", "json": b"[1]", "problem": b'{"code": "strange", "detail": "So it is."}'}
        self.send_response(int(status))
        self.end_headers()
        self.wfile.write(bodies[kind])

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def remote() -> Iterator[Remote]:
    with HTTPServer(("127.0.0.1", 0), Strange) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        remote = Remote(Session(f"http://127.0.0.1:{server.server_port}", "a token"))
        yield remote
        remote.close()
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("path", ["/200/page", "/502/page", "/404/json"])
def test_a_server_that_is_not_famichat_is_reported(remote: Remote, path: str) -> None:
    with pytest.raises(Refused, match="is not a Famichat server") as refused:
        remote.get(path)
    assert refused.value.code == "unreachable"


def test_an_unknown_error_code_of_a_newer_server_is_shown_with_its_message(remote: Remote) -> None:
    with pytest.raises(Refused, match="So it is") as refused:
        remote.get("/409/problem")
    assert refused.value.code == "strange"


def test_without_a_refresh_token_nothing_is_renewed(remote: Remote) -> None:
    with pytest.raises(Refused) as refused:
        remote.run(remote.client.refresh("a token"))
    assert refused.value.code == "invalid_token"
