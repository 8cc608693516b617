"""Errors as HTTP responses: `application/problem+json` (RFC 9457) with a code of the registry.

`problem` also emits `RequestRefused`, so every error response is counted once.
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from famichat.accounts.errors import InvalidCredentials
from famichat.endpoint.denials import report_denied
from famichat.error_codes import CODES
from famichat.errors import FamichatError
from famichat.realtime import strict_json
from famichat.telemetry import emit, events

_MAX_FIELDS, _MAX_FIELD_NAME = 5, 100
_RETRY_IN_MS = 1000
_CODES = {
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    429: "rate_limited",
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def problem(code: str, details: dict[str, Any] | None = None) -> Response:
    """Return an error response (RFC 9457).

    Args:
        code: a key of the registry, which defines the status and the title.
        details: additional fields of the problem object. `retry_in_ms` also sets the `Retry-After` header.
    """
    emit(events.RequestRefused(door="http", reason=code))
    definition = CODES[code]
    body = {
        "type": "about:blank",
        "title": definition.title,
        "status": definition.status,
        "code": code,
        **(details or {}),
    }
    headers = {"cache-control": "no-store"}
    if definition.status == 401:  # noqa: PLR2004 - RFC 9110, 15.5.2
        headers["www-authenticate"] = "Bearer"
    if "retry_in_ms" in body:
        headers["retry-after"] = str(-(-body["retry_in_ms"] // 1000))
    return Response(strict_json.dumps(body), definition.status, headers, "application/problem+json")


def too_much_in_flight() -> Response:
    """Return the response to a request for whose body there is no room at the moment."""
    return problem("rate_limited", {"retry_in_ms": _RETRY_IN_MS})


def install(app: FastAPI) -> None:
    """Register the exception handlers of the HTTP application."""
    app.add_exception_handler(FamichatError, _expected_error)
    app.add_exception_handler(strict_json.InvalidJSON, lambda _request, _fault: problem("invalid_json"))
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)


def _expected_error(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, FamichatError):
        raise TypeError("install() registers this handler for FamichatError only") from fault
    account = fault.user_id if isinstance(fault, InvalidCredentials) else None
    report_denied(_entry_point(request), fault, account or getattr(request.state, "user_id", None))
    return problem(fault.code, fault.details)


def _entry_point(request: Request) -> str:
    """Return the method and the route without its parameters: `GET /conversations/{conversation_id}`."""
    return f"{request.method} {request.scope['route'].path}"


def _invalid_request(_request: Request, fault: Exception) -> Response:
    # Name the fields and their problems, never the values: a value may be a password. Name only a few, shortened: the
    # client chooses the names of unknown fields, and there may be thousands.
    faults = list(fault.errors())[:_MAX_FIELDS] if isinstance(fault, RequestValidationError) else []
    fields = [{"field": _field_name(each["loc"]), "problem": each["msg"]} for each in faults]
    return problem("invalid_request", {"errors": fields})


def _field_name(location: tuple[str | int, ...]) -> str:
    return ".".join(map(str, location[1:]))[:_MAX_FIELD_NAME]


def _http_error(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    code = _CODES.get(status, "invalid_request" if status < 500 else "internal_error")  # noqa: PLR2004 - HTTP
    response = too_much_in_flight() if code == "rate_limited" else problem(code)
    if status == 405:  # noqa: PLR2004 - RFC 9110, 15.5.6
        response.headers["allow"] = ", ".join(_allowed_methods(request))
    return response


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes that match this URL. The framework only returns those of one route."""
    # A literal path such as /conversations/self must not include the methods of /conversations/{conversation_id}.
    own = request.app.openapi()["paths"].get(request.scope["path"])
    methods = [method for method in _METHODS if (method.lower() in own if own else _matches(request, method))]
    return ["GET", "HEAD", *methods[1:]] if methods[:1] == ["GET"] else methods


def _matches(request: Request, method: str) -> bool:
    scope = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": [], "method": method}
    return any(route.matches({**scope})[0] is Match.FULL for route in request.app.routes)


def _unexpected_error(_request: Request, _fault: Exception) -> Response:
    # Starlette re-raises the error and uvicorn logs it. Logging it here, too, would duplicate the entry.
    return problem("internal_error")
