"""The protocol core performs no I/O: it imports no module that does."""

import ast
from pathlib import Path

import pytest

import famichat.realtime

PACKAGE = Path(famichat.realtime.__file__).parent
NETWORK = {"asyncio", "websockets", "uvicorn", "starlette", "redis", "socket", "threading"}


def imports(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text()))
    names = [alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names]
    tree = ast.walk(ast.parse(path.read_text()))
    return {*names, *(node.module for node in tree if isinstance(node, ast.ImportFrom) and node.module)}


@pytest.mark.parametrize(
    "module",
    ["message", "strict_json", "serializer", "socket", "transport/query", "transport/origin", "transport/limits"],
)
def test_the_core_knows_no_network(module: str) -> None:
    assert not {name.split(".")[0] for name in imports(PACKAGE / f"{module}.py")} & NETWORK


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_the_wire_knows_nothing_of_the_application(path: Path) -> None:
    ours = {name for name in imports(path) if name.startswith("famichat")}

    assert all(name.startswith(("famichat.realtime", "famichat.telemetry")) for name in ours)
