"""Test clients wait long enough for a busy machine."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_http_client_of_a_test_names_its_timeout() -> None:
    """The default of httpx, 5 seconds, is a threshold that a busy machine exceeds."""
    files = [file for file in TESTS.rglob("*.py") if "node_modules" not in file.parts]
    clients = [
        (file.relative_to(TESTS), ast.unparse(node))
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "httpx.AsyncClient"
    ]

    assert len(clients) > 10
    assert [client for client in clients if "timeout=" not in client[1] and "MockTransport" not in client[1]] == []
