"""The description of the HTTP API at `/api/openapi.json`: what FastAPI reads off the routes, and how each can fail.

Every error is answered from one table, so it is described from that table, once, and not at each route.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from famichat.error_codes import CODES

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
_VERBS = ("get", "post", "put", "patch", "delete")


class Fault(BaseModel):
    """What is wrong with one field of a request. Its value is not repeated: it may be a password."""

    field: str = Field(description="Its place, such as `member_ids.0`; empty, if it is about the whole.")
    problem: str


class Problem(BaseModel):
    """Why a request was refused, as RFC 9457 puts it. Programs read `code`, people read `title`."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": ["type", "title", "status", "code"]})

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="One of docs/errors.md.", json_schema_extra={"enum": list(CODES)})
    field: str | None = Field(None, description="Which field of a message is malformed.")
    errors: list[Fault] | None = Field(None, description="With `invalid_request`: what is wrong where.")
    retry_in_ms: int | None = Field(None, description="With `rate_limited`: when it can work.")


class DescribedApi(FastAPI):
    """FastAPI, with the table of errors in its description."""

    def openapi(self) -> dict[str, Any]:
        """The description, made when it is first asked for."""
        described = self.openapi_schema is not None
        schema = super().openapi()
        if not described:
            _describe_problems(schema)
        return schema


def _describe_problems(schema: dict[str, Any]) -> None:
    components = schema["components"]
    for name in _FRAMEWORKS_OWN:
        components["schemas"].pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    components["responses"] = {f"Problem{status}": _answer(status) for status in sorted(_statuses())}
    for path, operations in schema["paths"].items():
        for verb in _VERBS:
            if verb in operations:
                _fail_as_it_does(verb, path, operations[verb])


def _statuses() -> set[int]:
    return {code.status for code in CODES.values()}


def _answer(status: int) -> dict[str, Any]:
    meanings = [f"- `{name}`: {code.title}" for name, code in CODES.items() if code.status == status]
    return {"description": "\n".join(meanings), "content": {"application/problem+json": {"schema": _PROBLEM}}}


def _fail_as_it_does(verb: str, path: str, operation: dict[str, Any]) -> None:
    operation["responses"].pop("422", None)  # as FastAPI would answer it
    for status in _possible(verb, path, operation):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}


def _possible(verb: str, path: str, operation: dict[str, Any]) -> Iterator[int]:
    """With which statuses a request can be refused, as far as its form tells."""
    names_something = "{" in path or "requestBody" in operation
    if "requestBody" in operation:
        yield 400
    if "security" in operation or "/sessions" in path:
        yield 401
    if ("security" in operation and "{" in path) or (verb == "post" and path.endswith("/setup")):
        yield 403
    if names_something:
        yield 404
    if verb != "get":
        yield from (409, 413)
    if names_something or "parameters" in operation:
        yield 422
    yield from (429, 500, 503)
