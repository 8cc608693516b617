"""The OpenAPI document at `/api/openapi.json`: FastAPI's description of the routes, plus errors and WebSocket events.

Error responses are generated from the error registry instead of being declared at each route. A schema has the name of
its class without the suffix `View`. `web/src/api/types.ts` is generated from this document.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from famichat.accounts.device import DeviceKind
from famichat.accounts.user import Color
from famichat.chat.encryption_policy import Policy
from famichat.chat.records.conversation import ConversationType, History, Role
from famichat.endpoint.channels.events import ERROR_REPLY, TOPICS
from famichat.endpoint.http.compression import compressible
from famichat.error_codes import CODES
from famichat.realtime import strict_json

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_ENUMS: Final[Mapping[str, Any]] = {
    "Color": Color,
    "ConversationType": ConversationType,
    "DeviceKind": DeviceKind,
    "EncryptionPolicy": Policy,
    "History": History,
    "Role": Role,
}
"""Named schemas of enumerations, which fields refer to."""
_REF = "#/components/schemas/"
_FASTAPI_SCHEMAS = ("HTTPValidationError", "ValidationError")
_VERBS = ("get", "post", "put", "patch", "delete")


class FieldError(BaseModel):
    """An invalid field of a request. The value is not repeated: it may be a password."""

    field: str = Field(description="Path of the field, such as `member_ids.0`; empty for the whole body.")
    problem: str


class Problem(BaseModel):
    """An error response (RFC 9457). Programs read `code`, people read `title`."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": ["type", "title", "status", "code"]})

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="One of docs/errors.md.", json_schema_extra={"enum": list(CODES)})
    field: str | None = Field(None, description="The malformed field of a message.")
    errors: list[FieldError] | None = Field(None, description="With `invalid_request`: the first five invalid fields.")
    retry_in_ms: int | None = Field(None, description="With `rate_limited`: when to retry, in milliseconds.")


class DescribedApi(FastAPI):
    """FastAPI whose OpenAPI document includes the table of errors and the WebSocket events."""

    _encoded: bytes | None = None

    @compressible
    async def respond_document(self, _request: Request) -> Response:
        """Return the document, encoded once. FastAPI's own route encodes it for each request, which takes 2 ms."""
        if self._encoded is None:
            self._encoded = strict_json.dumps(self.openapi())
        return Response(self._encoded, media_type="application/json")

    def openapi(self) -> dict[str, Any]:
        """Return the document; built once."""
        built = self.openapi_schema is not None
        schema = super().openapi()
        if not built:
            _describe_problems(schema)
            _describe_events(schema)
            _name_schemas(schema)
        return schema


def _describe_problems(schema: dict[str, Any]) -> None:
    components = schema["components"]
    for name in _FASTAPI_SCHEMAS:
        components["schemas"].pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    components["responses"] = {f"Problem{status}": _error_response(status) for status in sorted(_statuses())}
    for path, operations in schema["paths"].items():
        for verb in _VERBS:
            if verb in operations:
                _add_error_responses(verb, path, operations[verb])


def _describe_events(document: dict[str, Any]) -> None:
    """Add the payload types of WebSocket events to the schemas, and `x-websocket-events` that refers to them."""
    payloads: dict[tuple[str, str, str], Any] = {("", "", "error"): ERROR_REPLY} | {
        (topic, direction, event): payload
        for topic, described in TOPICS.items()
        for direction, types in (("events", described.events), ("replies", described.replies))
        for event, payload in types.items()
    }
    schemas, definitions = TypeAdapter.json_schemas(
        [(key, "serialization", TypeAdapter(payload)) for key, payload in payloads.items()],
        ref_template=_REF + "{model}",
    )
    # Schemas of routes take precedence, because they may contain more descriptions than the payload types.
    document["components"]["schemas"] = definitions.get("$defs", {}) | document["components"]["schemas"]
    document["x-websocket-events"] = {
        "topics": {
            topic: {
                "events": {event: schemas[(topic, "events", event), "serialization"] for event in described.events},
                "replies": {event: schemas[(topic, "replies", event), "serialization"] for event in described.replies},
            }
            for topic, described in TOPICS.items()
        },
        "error": schemas[("", "", "error"), "serialization"],
    }


def _name_schemas(document: dict[str, Any]) -> None:
    """Rename the schemas for clients, and replace inline enumerations by references to named schemas."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    names = {name: name.removesuffix("View") for name in schemas}
    if ambiguous := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise ValueError(f"two schemas have the same name: {ambiguous}")
    enums = {tuple(get_args(values)): name for name, values in _ENUMS.items()}
    renamed = _renamed(document, names, enums)
    renamed["components"]["schemas"] = {
        names[name]: {**schema, "title": names[name]} for name, schema in renamed["components"]["schemas"].items()
    } | {name: {"type": "string", "enum": list(values), "title": name} for values, name in enums.items()}
    document.update(renamed)


def _renamed(node: Any, names: Mapping[str, str], enums: Mapping[tuple[str, ...], str]) -> Any:
    """Return a copy of a node with renamed references, and with enumerations replaced by references."""
    match node:
        case {"$ref": str(reference)} if reference.startswith(_REF):
            return {**node, "$ref": _REF + names[reference.removeprefix(_REF)]}
        case {"enum": [*values], "type": "string"} if tuple(values) in enums:
            rest = {key: value for key, value in node.items() if key not in {"enum", "type", "title"}}
            return {**rest, "$ref": _REF + enums[tuple(values)]}
        case dict():
            return {key: _renamed(value, names, enums) for key, value in node.items()}
        case list():
            return [_renamed(each, names, enums) for each in node]
        case _:
            return node


def _statuses() -> set[int]:
    return {code.status for code in CODES.values()}


def _error_response(status: int) -> dict[str, Any]:
    meanings = [f"- `{name}`: {code.title}" for name, code in CODES.items() if code.status == status]
    return {"description": "\n".join(meanings), "content": {"application/problem+json": {"schema": _PROBLEM}}}


def _add_error_responses(verb: str, path: str, operation: dict[str, Any]) -> None:
    operation["responses"].pop("422", None)  # FastAPI's own format, which this server does not use
    for status in _possible_statuses(verb, path, operation):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}


def _possible_statuses(verb: str, path: str, operation: dict[str, Any]) -> Iterator[int]:
    """Yield the error statuses an operation can have, inferred from its method, path and parameters."""
    has_input = "{" in path or "requestBody" in operation
    if "requestBody" in operation:
        yield 400
    if "security" in operation or "/sessions" in path:
        yield 401
    if ("security" in operation and "{" in path) or (verb == "post" and path.endswith("/setup")):
        yield 403
    if has_input:
        yield 404
    if verb != "get":
        yield from (409, 413)
    if has_input or "parameters" in operation:
        yield 422
    yield from (429, 500, 503)
