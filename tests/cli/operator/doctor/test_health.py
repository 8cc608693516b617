import json
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.program import famichat, started


def test_a_running_server_is_healthy_and_a_stopped_one_is_not(tmp_path: Path) -> None:
    with started("serve", "--port", "0", "--data-dir", tmp_path / "data", "--json") as server:
        port = urlsplit(json.loads(server.line())["url"]).port
        settings = {"host": "0.0.0.0", "port": str(port)}  # noqa: S104 - as in a container
        running = famichat("health", **settings)
        server.end()
    stopped = famichat("health", **settings)

    assert (running.returncode, running.stdout) == (0, "ready\n")
    assert stopped.returncode == 1
    assert stopped.stderr == f"famichat: No server answers on port {port} (unreachable)\n"
