"""Generates docs/http-api.md, the list of all HTTP routes, from the OpenAPI document on standard input.

`./run api-types` runs it. With `--check` it only compares, and exits with 1 if the page is out of date.
"""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "http-api.md"
METHODS = ("get", "post", "put", "patch", "delete")

INTRODUCTION = """\
# HTTP API

All routes of the HTTP API, generated from the OpenAPI document by `./run api-types`. A running server describes each
field, limit and error at `/api/docs`, and `famichat openapi` prints the document. [protocol.md](protocol.md) explains
how a client uses the routes; [errors.md](errors.md) lists the error codes.

Fields and parameters with `?` are optional. Routes without a lock need no access token.
"""


def render(document: dict[str, Any]) -> str:
    """Return the page: one table for each tag, in the order of the document."""
    tables: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                tables.setdefault(operation["tags"][0], []).append(_row(document, method, path, operation))
    return INTRODUCTION + "".join(
        f"\n## {tag.capitalize()}\n\n| route | | request | response |\n|---|---|---|---|\n" + "".join(rows)
        for tag, rows in tables.items()
    )


def _row(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    lock = " 🔒" if operation.get("security") else ""
    request = " ".join([*_parameters(operation), *_body(document, operation)])
    cells = (f"`{method.upper()} {path}`{lock}", operation["summary"], request, _response(operation))
    return "| " + " | ".join(cells).replace("|  |", "| |") + " |\n"


def _parameters(operation: dict[str, Any]) -> list[str]:
    return [
        f"`{'?' if parameter['in'] == 'query' else ''}{parameter['name']}{'=' if parameter['in'] == 'query' else ''}`"
        for parameter in operation.get("parameters", ())
        if parameter["in"] != "path"
    ]


def _body(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is None:
        return [f"`{media_type}`" for media_type in content]
    resolved = _resolve(document, schema)
    optional = "anyOf" in resolved  # a body or null
    model = _resolve(document, resolved["anyOf"][0]) if optional else resolved
    required = model.get("required", ())
    fields = ", ".join(field + ("" if field in required else "?") for field in model["properties"])
    return [f"`{{{fields}}}`" + (" or no body" if optional else "")]


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a chain of references to a named schema."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]
    return schema


def _response(operation: dict[str, Any]) -> str:
    status, response = next(entry for entry in operation["responses"].items() if entry[0].startswith("2"))
    for media_type, content in response.get("content", {}).items():
        name = content.get("schema", {}).get("$ref", "").removeprefix("#/components/schemas/")
        return f"{status} `{name or media_type}`"
    return str(status)


def main() -> int:
    page = render(json.load(sys.stdin))
    if "--check" not in sys.argv:
        PAGE.write_text(page)
    elif page != PAGE.read_text():
        sys.stderr.write("docs/http-api.md is out of date: run ./run api-types\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
