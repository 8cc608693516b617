"""What a server loads that uses no optional part: each library below takes megabytes and start-up time."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.program import started

SERVE = """
import json, os, signal, sys
from pathlib import Path
from famichat.cli.operator.serve import run
from famichat.settings import load_settings

def report(ready):
    print(json.dumps(sorted(name for name, module in sys.modules.items() if module)), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

run(load_settings(host="127.0.0.1", port=0, data_dir=Path(sys.argv[1])), report)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules of a new process that starts a server on SQLite for the second time."""
    folder = tmp_path_factory.mktemp("default-server")
    with started("serve", "--port", "0", data_dir=folder) as first:
        first.line()
        assert first.end() == 0
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    second = subprocess.run(
        [sys.executable, "-c", SERVE, str(folder)],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(second.stdout))


@pytest.mark.parametrize(
    ("library", "use"),
    [
        ("alembic", "migrating a database"),
        ("confusable_homoglyphs.confusables", "nothing: its data is read from its file"),
        ("http_ece", "sending a push notification"),
        ("httpx", "sending a push notification"),
        ("mako", "migrating a database"),
        ("OpenSSL", "a passkey"),
        ("nats", "several nodes over NATS"),
        ("opentelemetry.sdk", "tracing"),
        ("PIL", "a custom logo"),
        ("psycopg", "PostgreSQL"),
        ("pygments", "nothing: rich uses it"),
        ("pydantic.v1", "models of Pydantic 1, and there are none"),
        ("redis", "several nodes"),
        ("rich", "nothing: structlog loads it if it is installed"),
        ("sqlalchemy.dialects.postgresql", "PostgreSQL"),
        ("webauthn", "a passkey"),
        ("zxcvbn", "a new password"),
    ],
)
def test_a_default_server_does_not_load_a_library_before_its_use(loaded: set[str], library: str, use: str) -> None:
    assert library not in loaded, f"only needed for {use}"
