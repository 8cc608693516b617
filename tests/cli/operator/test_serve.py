import json
import os
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from famichat.storage.revision import newest
from tests.support.program import famichat, started
from tests.support.warm import start

ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - the server of a home network
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


def test_a_server_for_the_network_prints_an_address_for_phones_with_its_qr_code(tmp_path: Path) -> None:
    terminal, program_side = os.openpty()
    environment = {"PATH": os.environ["PATH"], "FAMICHAT_DATA_DIR": str(tmp_path / "data"), "LC_ALL": "C.UTF-8"}
    with open(terminal, encoding="utf-8", newline="") as screen, (tmp_path / "log").open("wb") as log:  # noqa: PTH123 - a descriptor has no path
        server = start(
            *("famichat", "serve", "--host", ALL_ADDRESSES, "--port", "0"),
            environment=environment,
            stdout=program_side,
            stderr=log,
        )
        os.close(program_side)
        where, code, *drawing = [screen.readline() for _ in range(12)]
        server.terminate()
        server.wait(30)

    address = where.removeprefix("Famichat is running at ").split(". No one")[0]
    assert urlsplit(address).hostname not in {None, ALL_ADDRESSES}
    assert "enter this setup code" in code
    assert len([line for line in drawing if set(line.strip()) <= set("█▀▄ ") and "█" in line]) >= 9


def test_the_configured_addresses_are_printed(tmp_path: Path) -> None:
    settings = {"public_url": "https://chat.example.org", "other_urls": "http://192.168.1.20:4000"}
    with started("serve", "--port", "0", "--data-dir", tmp_path / "data", **settings) as server:
        where = server.line()

    assert where.startswith("Famichat is running at https://chat.example.org (also at http://192.168.1.20:4000). ")


def test_web_pages_may_connect_from_each_configured_address_and_no_other(tmp_path: Path) -> None:
    settings = {"public_url": "https://chat.example.org", "other_urls": "http://192.168.1.20:4000"}
    with started("serve", "--port", "0", "--data-dir", tmp_path / "data", "--json", **settings) as server:
        url = json.loads(server.line())["url"]
        with httpx.Client(base_url=url, trust_env=False) as http:
            answers = {
                origin: http.post("/socket/longpoll?vsn=2.0.0", headers={"origin": origin}).json()["status"]
                for origin in ("https://chat.example.org", "http://192.168.1.20:4000", "http://192.168.1.20", url)
            }
            address = http.get("/api/v1/setup").json()["address"]

    assert [origin for origin, status in answers.items() if status != 403] == [
        "https://chat.example.org",
        "http://192.168.1.20:4000",
    ]
    assert address == "https://chat.example.org"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"host": "192.0.2.7"}, "no_such_address"),
        ({"host": "does-not-exist.invalid"}, "no_such_address"),
        ({"files_dir": "/proc/files"}, "os_error"),
        ({"files_dir": "FILE"}, "os_error"),
        ({"database_url": "postgresql://u:p@127.0.0.1:9/x?foo=bar"}, "database_option"),
        ({"database_url": "postgresql://u:p@127.0.0.1:9/x?sslmode=maybe"}, "database_option"),
    ],
    ids=["another machine's address", "unknown host", "forbidden directory", "a file", "parameter", "its value"],
)
def test_settings_that_cannot_work_are_refused_in_one_sentence(
    tmp_path: Path, settings: dict[str, str], code: str
) -> None:
    (tmp_path / "file").touch()
    given = {name: value.replace("FILE", str(tmp_path / "file")) for name, value in settings.items()}

    refused = famichat("serve", "--port", "0", data_dir=tmp_path / "data", **given)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("famichat: ")
    assert refused.stderr.endswith(f"({code})\n")
    assert refused.stderr.count("\n") == 1


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


def test_several_workers_on_sqlite_are_refused_with_the_reason(tmp_path: Path) -> None:
    refused = famichat("serve", "--workers", "2", data_dir=tmp_path)

    assert refused.returncode == 2
    assert "SQLite has one writer; use PostgreSQL for several workers" in refused.stderr
    assert not (tmp_path / "famichat.db").exists()
