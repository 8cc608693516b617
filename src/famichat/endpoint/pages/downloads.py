"""Downloads of attachments from expiring URLs, with headers that prevent a browser from running their content."""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from famichat.actions.attachments import open_file
from famichat.attachments.downloads import ByteRange
from famichat.endpoint.http.context import InContext
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events

router = APIRouter(include_in_schema=False)

# If a browser renders a file as a page, the page has an opaque origin, runs no scripts and loads nothing.
_POLICY = "sandbox; default-src 'none'"


@router.get("/files/{token}")
async def file(token: str, request: Request, context: InContext) -> Response:
    """Return a file, or the part of it that `Range` requests, to the device the URL was issued to.

    Raises:
        NotFound: the URL is invalid or expired, or the device may no longer see the file.
        FileDamaged: the file was modified on the disk.
        RangeNotSatisfiable: the range begins after the end of the file.
    """
    file = await open_file(context, token)
    span = ByteRange.parse(request.headers.get("range"), file.size)
    contents = file.read(span, context.files, context.vault)
    first = await run_in_threadpool(_first, contents)
    headers = {
        "content-type": file.content_type,
        "content-length": str(span.stop - span.start),
        "content-disposition": file.disposition,
        "content-security-policy": _POLICY,
        "cache-control": "private, no-store",
        "accept-ranges": "bytes",
    }
    if span.is_part:
        headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{span.size}"
    return StreamingResponse(_from(first, contents), 206 if span.is_part else 200, headers)


def _first(contents: Iterator[bytes]) -> bytes:
    """Read the first chunk before the response starts, so that an unreadable file can still get an error response."""
    try:
        return next(contents)
    except OSError as error:
        emit(events.StorageFailed(operation="files", error_type=type(error).__name__))
        raise StorageUnavailable("files") from error


def _from(first: bytes, contents: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from contents
