"""Errors as HTTP responses: `application/problem+json` (RFC 9457) with the code of the registry.

`problem` also counts the refusal, so every error response is counted once.
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

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def problem(code: str, details: dict[str, Any] | None = None) -> Response:
    """Return an error response (RFC 9457).

    Args:
        code: a key of the registry, which gives the status and the title.
        details: further fields of the problem object. `retry_in_ms` also sets the `Retry-After` header.
    """
    emit(events.RequestRefused(door="http", reason=code))
    known = CODES[code]
    body = {"type": "about:blank", "title": known.title, "status": known.status, "code": code, **(details or {})}
    headers = {"cache-control": "no-store"}
    if known.status == 401:  # noqa: PLR2004 - RFC 9110, 15.5.2
        headers["www-authenticate"] = "Bearer"
    if "retry_in_ms" in body:
        headers["retry-after"] = str(-(-body["retry_in_ms"] // 1000))
    return Response(strict_json.dumps(body), known.status, headers, "application/problem+json")


def install(app: FastAPI) -> None:
    """Register the exception handlers of the HTTP application."""
    app.add_exception_handler(FamichatError, _expected)
    app.add_exception_handler(strict_json.InvalidJSON, lambda _request, _fault: problem("invalid_json"))
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(Exception, _unexpected)


def _expected(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, FamichatError):
        raise TypeError("install() registers this handler for FamichatError only") from fault
    account = fault.user_id if isinstance(fault, InvalidCredentials) else None
    report_denied(_entry_point(request), fault, account or getattr(request.state, "user_id", None))
    return problem(fault.code, fault.details)


def _entry_point(request: Request) -> str:
    """Return the method and the route without its parameters: `GET /conversations/{conversation_id}`."""
    return f"{request.method} {request.scope['route'].path}"


def _malformed(_request: Request, fault: Exception) -> Response:
    # Name the fields and their problems, never the values: a value may be a password.
    faults = fault.errors() if isinstance(fault, RequestValidationError) else []
    fields = [{"field": ".".join(map(str, each["loc"][1:])), "problem": each["msg"]} for each in faults]
    return problem("invalid_request", {"errors": fields})


def _of_the_framework(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    codes = {404: "not_found", 405: "method_not_allowed", 401: "unauthorized", 413: "request_too_large"}
    answer = problem(codes.get(status, "invalid_request" if status < 500 else "internal_error"))  # noqa: PLR2004 - HTTP
    if status == 405:  # noqa: PLR2004 - RFC 9110, 15.5.6
        answer.headers["allow"] = ", ".join(_methods_at(request))
    return answer


def _methods_at(request: Request) -> list[str]:
    """Return the methods of all routes at this address (the framework names those of one route only)."""
    # A literal path such as /conversations/self must not count the methods of /conversations/{conversation_id}.
    own = request.app.openapi()["paths"].get(request.scope["path"])
    found = [method for method in _METHODS if (method.lower() in own if own else _matches(request, method))]
    return ["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found


def _matches(request: Request, method: str) -> bool:
    scope = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": [], "method": method}
    return any(route.matches({**scope})[0] is Match.FULL for route in request.app.routes)


def _unexpected(_request: Request, _fault: Exception) -> Response:
    # Starlette re-raises the error to uvicorn, which logs it; to log it here would do so twice.
    return problem("internal_error")
