import json
import os
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from famichat.storage.revision import newest
from tests.support.program import famichat, started

ANNA = {"family_name": "Berg", "username": "anna", "password": "a long enough one"}


def test_the_first_start_lets_the_first_person_in_by_a_code_that_works_once(tmp_path: Path) -> None:
    with started("serve", "--port", "0", "--data-dir", tmp_path / "data", "--json") as server:
        ready = json.loads(server.line())
        setup = {
            "family_name": "Berg",
            "username": "anna",
            "password": "a long enough one",
            "code": ready["setup_code"],
        }
        with httpx.Client(base_url=ready["url"], trust_env=False) as http:
            wrong = http.post("/api/v1/setup", json={**setup, "code": "AAAA-AAAA"})
            right = http.post("/api/v1/setup", json=setup)
            again = http.post("/api/v1/setup", json={**setup, "username": "eve"})
        ended = server.end()

    assert (wrong.status_code, right.status_code, again.status_code) == (403, 201, 409)
    assert ended == 0


def test_later_starts_print_no_code_and_keep_all_sessions(tmp_path: Path) -> None:
    arguments = ("serve", "--port", "0", "--data-dir", tmp_path / "data", "--json")
    with started(*arguments) as server:
        ready = json.loads(server.line())
        setup = {
            "family_name": "Berg",
            "username": "anna",
            "password": "a long enough one",
            "code": ready["setup_code"],
        }
        arrived = httpx.post(f"{ready['url']}/api/v1/setup", json=setup, trust_env=False).json()
        server.end()

    with started(*arguments) as server:
        ready = json.loads(server.line())
        bearer = {"authorization": f"Bearer {arrived['access_token']}"}
        me = httpx.get(f"{ready['url']}/api/v1/me", headers=bearer, trust_env=False)

    assert ready["setup_code"] is None
    assert me.json()["username"] == "anna"


def test_the_address_is_printed(tmp_path: Path) -> None:
    with started("serve", "--port", "0", data_dir=tmp_path / "data") as server:
        where, code = server.line(), server.line()

    assert where.startswith("Famichat is running at http://127.0.0.1:")
    assert "enter this setup code, which works once: " in code


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    with started("serve", "--port", "0", data_dir=tmp_path / "data") as server:
        server.line()

        assert server.end(how) == 0
        assert "Traceback" not in server.errors()
    copy = shutil.copy(tmp_path / "data" / "famichat.db", tmp_path / "copy.db")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (newest(),)


def test_two_servers_do_not_share_a_directory(tmp_path: Path) -> None:
    with started("serve", "--port", "0", data_dir=tmp_path) as server:
        server.line()
        second = famichat("serve", "--port", "0", data_dir=tmp_path)

    assert second.returncode == 1
    assert second.stderr.startswith("famichat: Famichat is already running in ")
    assert second.stderr.endswith("(directory_in_use)\n")
    assert second.stderr.count("\n") == 1


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        refused = famichat("serve", "--port", other.getsockname()[1], data_dir=tmp_path)

    assert refused.returncode == 1
    assert refused.stderr == "famichat: This port is in use. Choose another one with --port (port_taken)\n"


def test_all_errors_in_the_settings_are_reported_together(tmp_path: Path) -> None:
    refused = famichat("serve", data_dir=tmp_path, database_url="mysql://x", rate_limits="perhaps", secret_key="short")

    names = [line.partition(":")[2].split(":")[0].strip() for line in refused.stderr.splitlines()]
    assert refused.returncode == 2
    assert sorted(names) == ["FAMICHAT_DATABASE_URL", "FAMICHAT_RATE_LIMITS", "FAMICHAT_SECRET_KEY"]


def test_lost_secrets_stop_the_start(tmp_path: Path) -> None:
    famichat("migrate", data_dir=tmp_path)
    (tmp_path / "secrets.json").unlink()

    refused = famichat("serve", "--port", "0", data_dir=tmp_path)

    assert refused.returncode == 1
    assert refused.stderr.endswith("(secrets_missing)\n")


def test_starting_as_root_prints_a_warning(tmp_path: Path) -> None:
    with started("serve", "--port", "0", "--data-dir", tmp_path / "data", "--json", log_format="json") as server:
        server.line()
        server.end()
        warned = "famichat.process.started_as_root" in server.errors()

    assert warned == (os.geteuid() == 0)


def test_files_that_a_server_creates_are_private_to_its_owner(tmp_path: Path) -> None:
    with started("serve", "--port", "0", "--data-dir", tmp_path / "data", "--json") as server:
        server.line()
        data = tmp_path / "data"
        modes = {path.name: path.stat().st_mode & 0o777 for path in (data, *data.iterdir())}
        server.end()

    assert {"famichat.db", "secrets.json"} <= set(modes)
    assert modes["data"] == 0o700
    assert not {name: oct(mode) for name, mode in modes.items() if mode & 0o022}
    assert not modes["secrets.json"] & 0o077
