"""The files themselves, at addresses that expire: what a browser shows, plays or saves, and can do no harm with."""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from famichat.accounts.errors import InvalidToken
from famichat.accounts.sign_in.token import Claims, Identity, authenticate
from famichat.attachments.downloads import ByteRange, Download, open_download, visible
from famichat.attachments.signed_url import UrlGrant
from famichat.chat.errors import NotFound
from famichat.endpoint.http.context import InContext
from famichat.storage.base import now
from famichat.storage.errors import StorageUnavailable, UnsealError
from famichat.telemetry import emit, events

router = APIRouter(include_in_schema=False)

# Should a browser ever take a file for a page: a page that may do nothing, in an origin of its own.
_POLICY = "sandbox; default-src 'none'"


@router.get("/files/{token}")
async def file(token: str, request: Request, context: InContext) -> Response:
    """Give out a file, or the part of it that `Range` asks for, to whom the address was given, who must still see it.

    Raises:
        NotFound: whatever may be the reason.
        RangeNotSatisfiable: the file ends before that.
    """
    ticket = context.signed_urls.read(token)

    def look(session: Session) -> tuple[Identity, Download]:
        who = _bearer(session, ticket)
        return who, open_download(visible(session, who.user_id, ticket.attachment_id), ticket.part, context.vault)

    who, found = await context.database.read(look)
    context.rate_limits.check("request", who)
    span = ByteRange.parse(request.headers.get("range"), found.size)
    contents = found.read(span, context.files, context.vault)
    first = await run_in_threadpool(_first, contents)
    headers = {
        "content-type": found.content_type,
        "content-length": str(span.stop - span.start),
        "content-disposition": found.disposition,
        "content-security-policy": _POLICY,
        "cache-control": "private, no-store",
        "accept-ranges": "bytes",
    }
    if span.is_part:
        headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{span.size}"
    return StreamingResponse(_from(first, contents), 206 if span.is_part else 200, headers)


def _bearer(session: Session, ticket: UrlGrant) -> Identity:
    """Who was given the address. A device that was revoked since gets what a stranger gets."""
    try:
        return authenticate(session, Claims(ticket.user_id, ticket.device_id, now()))
    except InvalidToken:
        raise NotFound from None


def _first(contents: Iterator[bytes]) -> bytes:
    """The first piece, before anything is promised."""
    try:
        return next(contents)
    except (OSError, UnsealError) as error:
        emit(events.StorageFailed(operation="files", error_type=type(error).__name__))
        raise StorageUnavailable("files") from error


def _from(first: bytes, contents: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from contents
