"""One table for every error: its stable code, its HTTP status, and one sentence for people.

Whoever makes an answer of an error (`refusal`, `problem`) counts it by that, so none goes uncounted.

The socket answers `{"reason": code}` with `details` where they help, HTTP answers `application/problem+json`
(RFC 9457) with the same code. `docs/errors.md` lists the same codes; a test compares the two.
"""

import logging
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from famichat.accounts.errors import AccountsError
from famichat.attachments.errors import AttachmentError
from famichat.chat.errors import ChatError
from famichat.endpoint.rate_limit import RateLimited
from famichat.endpoint.topics import InvalidTopic
from famichat.realtime import strict_json
from famichat.realtime.message import Reply, error
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means: its HTTP status, and what a person may be told."""

    status: int
    title: str


CODES: dict[str, Code] = {
    # who is asking
    "unauthorized": Code(401, "Sign in first."),
    "invalid_credentials": Code(401, "The name or the password is wrong."),
    "invalid_token": Code(401, "This sign-in is not valid any more."),
    "rate_limited": Code(429, "That was too often; try again a little later."),
    # what is asked about
    "not_found": Code(404, "There is nothing here that you can see."),
    "invalid_invite": Code(404, "This invitation is not valid any more."),
    "invalid_topic_format": Code(400, "There is no such topic."),
    # how it is asked
    "invalid_json": Code(400, "The request is not the strict JSON that this server takes."),
    "invalid_request": Code(422, "A field of the request is missing or malformed."),
    "invalid_message": Code(422, "A field of the message is missing or malformed."),
    "message_too_large": Code(413, "The message is larger than 64 KiB."),
    "request_too_large": Code(413, "The request is too large."),
    "method_not_allowed": Code(405, "This address does not do that."),
    "unmatched_event": Code(400, "There is no such event."),
    # accounts
    "invalid_username": Code(422, "This name cannot be used."),
    "username_taken": Code(409, "This name, or one that looks like it, is taken."),
    "invalid_email": Code(422, "This is not an e-mail address."),
    "email_taken": Code(409, "This e-mail address cannot be used."),
    "weak_password": Code(422, "This password is too easy to guess."),
    "invalid_device_name": Code(422, "A device has a name of 1 to 64 characters that can be seen."),
    "invalid_passkey": Code(422, "This passkey cannot be used here."),
    "passkeys_unavailable": Code(409, "Passkeys need a server with a name, reached over HTTPS."),
    "already_set_up": Code(409, "This server has been set up already."),
    "invalid_setup_code": Code(403, "This is not the code that the server printed."),
    # what the rules of a family say
    "conflict": Code(409, "This was said differently before."),
    "not_sender": Code(403, "Only whoever sent a message can do this to it."),
    "message_deleted": Code(409, "This message was deleted."),
    "too_late": Code(409, "A message can be edited for a day, and no longer."),
    "encryption_required": Code(422, "Only encrypted messages are taken here."),
    "invalid_encryption_metadata": Code(422, "The encryption of the message is not described as it must be."),
    "invalid_members": Code(422, "A group needs three or more people of one family."),
    "invalid_name": Code(422, "A name has 1 to 100 characters."),
    "not_admin": Code(403, "Only an admin can do this."),
    "last_admin": Code(409, "Somebody must stay admin: make another one first."),
    "not_participant": Code(409, "This person does not take part."),
    "not_group_conversation": Code(409, "Only a group can do this."),
    # photos and files
    "file_too_large": Code(413, "The file is larger than this server takes."),
    "quota_exceeded": Code(413, "With this file you would keep more here than you may."),
    "too_many_uploads": Code(409, "Too many uploads wait to be sent; send or cancel some first."),
    "wrong_offset": Code(409, "The upload goes on at another place."),
    "upload_busy": Code(409, "Another part of this upload is just arriving."),
    "checksum_mismatch": Code(422, "What arrived is not what was announced; begin again."),
    "picture_too_large": Code(422, "The picture has too many pixels."),
    "picture_unreadable": Code(
        422, "This picture cannot be cleaned of where it was taken; send it as it is, or another."
    ),
    "range_not_satisfiable": Code(416, "The file ends before that."),
    "server_full": Code(503, "The server has no room left for files."),
    # what is wrong with the server
    "unavailable": Code(503, "The server cannot do this just now; nothing was lost, try again."),
    "internal_error": Code(500, "Something is broken here; it was written down."),
}

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


def note_denial(door: str, fault: Exception, user_id: str | None = None) -> None:
    """Let telemetry know of an error, if it means that somebody asked for what is not theirs.

    Args:
        door: where they knocked.
        fault: what they are told.
        user_id: who it was; or, at a sign-in, whose account it was about.
    """
    if isinstance(fault, EXPECTED) and CODES[code_of(fault)].status in _DENIED:
        emit(events.AuthorizationDenied(door=door, reason=code_of(fault), user_id=user_id))


def refusal(fault: Exception) -> dict[str, Any]:
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


def refuse(fault: Exception) -> Reply:
    """An error as the reply to a message on a channel."""
    return error(refusal(fault))


def unmatched_event() -> Reply:
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
    note_denial(_door(request), fault, getattr(request.state, "user_id", None))
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
