"""The official npm client, in its current and an older version, against the conformance server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.node import install_clients, program

HERE = Path(__file__).parent
SERVER = HERE / "server.py"
SCENARIOS = sorted(path.stem for path in (HERE / "scenarios").glob("*.mjs"))


@pytest.fixture(scope="session")
def node_modules() -> None:
    install_clients()


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with subprocess.Popen([sys.executable, SERVER, "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def test_a_page_of_another_origin_may_not_connect(server_url: str) -> None:
    query = {"vsn": "2.0.0", "token": "good"}
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    handshake = upgrade | {"sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    foreign = {"origin": "https://evil.example"}
    with httpx.Client(base_url=f"{server_url}/socket", params=query, trust_env=False) as client:
        websocket = client.get("/websocket", headers=handshake | foreign)
        plain = client.get("/websocket", headers=foreign)
        polled = client.get("/longpoll", headers=foreign)
        own = client.get("/longpoll", headers={"origin": server_url})

    assert (websocket.status_code, plain.status_code, polled.json()["status"]) == (403, 403, 403)
    assert own.json()["status"] == 410, "a new session"


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("client", ["phoenix", "phoenix-1.7"])
def test_the_official_client_agrees(client: str, scenario: str, server_url: str, node_modules: None) -> None:
    done = subprocess.run(
        [program("node"), "--test", "--test-force-exit", "--test-reporter=spec", f"scenarios/{scenario}.mjs"],
        cwd=HERE,
        env={"SERVER_URL": server_url, "PHOENIX": client, "PYTHON": sys.executable, "SERVER": str(SERVER)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
