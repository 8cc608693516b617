"""What goes wrong becomes an answer.

The socket answers `{"reason": code}` with `details` where they help, HTTP answers `application/problem+json`
(RFC 9457) with the same code.

Whoever makes an answer of an error (`error_payload`, `problem`) counts it by that, so none goes uncounted.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from famichat.accounts.errors import AccountsError
from famichat.actions.rate_limit import RateLimited
from famichat.actions.topics import InvalidTopic
from famichat.attachments.errors import AttachmentError
from famichat.chat.errors import ChatError
from famichat.error_codes import CODES
from famichat.realtime import strict_json
from famichat.realtime.message import ReplyPayload, error
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events

_logger = logging.getLogger(__name__)

ExpectedError = AccountsError | ChatError | AttachmentError | RateLimited | InvalidTopic | StorageUnavailable
EXPECTED = (AccountsError, ChatError, AttachmentError, RateLimited, InvalidTopic, StorageUnavailable)
# Missing and forbidden are one answer, so 404 may be either; an address that does not exist does not come here.
_DENIED = (401, 403, 404)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def code_of(fault: ExpectedError) -> str:
    """The stable code of an error that is part of the interface."""
    return "unavailable" if isinstance(fault, StorageUnavailable) else fault.code


def details_of(fault: ExpectedError) -> dict[str, Any]:
    """What else the asker may know about it."""
    details: dict[str, Any] = getattr(fault, "details", {})
    return details


def report_denied(door: str, fault: Exception, user_id: str | None = None) -> None:
    """Let telemetry know of an error, if it means that somebody asked for what is not theirs.

    Args:
        door: where they knocked.
        fault: what they are told.
        user_id: who it was; or, at a sign-in, whose account it was about.
    """
    if isinstance(fault, EXPECTED) and CODES[code_of(fault)].status in _DENIED:
        emit(events.AuthorizationDenied(door=door, reason=code_of(fault), user_id=user_id))


def error_payload(fault: Exception) -> dict[str, Any]:
    """An error as a channel's answer carries it: `{"reason": ..., "details": ...}`.

    One that nobody expected is logged and becomes `internal_error`; its text stays here.
    """
    if not isinstance(fault, EXPECTED):
        _logger.error("an unexpected error in a channel", exc_info=fault)
        emit(events.RequestRefused(door="channel", reason="internal_error"))
        return {"reason": "internal_error"}
    emit(events.RequestRefused(door="channel", reason=code_of(fault)))
    details = details_of(fault)
    # `retry_in_ms` is looked for beside the reason, as clients of the contract do.
    beside = {key: details[key] for key in ("retry_in_ms",) if key in details}
    return {"reason": code_of(fault), **beside, **({"details": details} if details else {})}


def error_reply(fault: Exception) -> ReplyPayload:
    """An error as the reply to a message on a channel."""
    return error(error_payload(fault))


def unmatched_event() -> ReplyPayload:
    """The reply to an event that a channel does not have."""
    emit(events.RequestRefused(door="channel", reason="unmatched_event"))
    return error("unmatched_event")


def problem(code: str, details: dict[str, Any] | None = None) -> Response:
    """An error as an HTTP answer (RFC 9457)."""
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
    """Let every error of the HTTP doors be answered from the table."""
    for kind in EXPECTED:
        app.add_exception_handler(kind, _expected)
    app.add_exception_handler(strict_json.InvalidJSON, lambda _request, _fault: problem("invalid_json"))
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(Exception, _unexpected)


def _expected(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, EXPECTED):
        raise TypeError("install() names the same errors") from fault
    report_denied(_door(request), fault, getattr(request.state, "user_id", None))
    return problem(code_of(fault), details_of(fault))


def _door(request: Request) -> str:
    """Where a request knocked, without what it asked for there: `GET /conversations/{conversation_id}`."""
    return f"{request.method} {request.scope['route'].path}"


def _malformed(_request: Request, fault: Exception) -> Response:
    # Which fields, and what is wrong with them, but never the values: one of them may be a password.
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
    """What can be done at this address: the framework names the methods of one route only."""
    # An address of its own, such as /conversations/self, is not one of /conversations/{conversation_id}.
    own = request.app.openapi()["paths"].get(request.scope["path"])
    found = [method for method in _METHODS if (method.lower() in own if own else _matches(request, method))]
    return ["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found


def _matches(request: Request, method: str) -> bool:
    scope = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": [], "method": method}
    return any(route.matches({**scope})[0] is Match.FULL for route in request.app.routes)


def _unexpected(_request: Request, _fault: Exception) -> Response:
    # The framework hands the error on to the server, which logs it: once is enough.
    return problem("internal_error")
