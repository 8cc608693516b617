"""Photos, files and voice notes: uploaded in chunks, and downloaded from URLs that expire."""

from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import ClientDisconnect

from famichat.actions import attachments
from famichat.attachments.signed_url import ADDRESS_SECONDS
from famichat.attachments.upload_request import MAX_NAME, MAX_WAVEFORM, UploadRequest
from famichat.attachments.uploads import Upload
from famichat.chat.records.attachment import AttachmentView, attachment_views
from famichat.endpoint.http.context import Caller, Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.parameters import IdempotencyKey

router = api_router("", "attachments")

MAX_CHUNK_BYTES = 8 * 1024 * 1024
"""The limit of one PATCH; a longer one could exceed the server's request timeout."""
_MAX_SIZE = 2**53
_MAX_EDGE = 2**15
_MAX_DURATION_MS = 24 * 60 * 60 * 1000
_PICTURE = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_BYTES = {"content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_Offset = Annotated[str, Header(alias="Upload-Offset", pattern=r"^\d{1,15}$")]


class VideoRequest(BaseModel):
    """What the client measured of a video. The server does not decode videos."""

    model_config = ConfigDict(extra="forbid", strict=True)

    width: int = Field(ge=1, le=_MAX_EDGE, description="In pixels, upright.")
    height: int = Field(ge=1, le=_MAX_EDGE)
    duration_ms: int = Field(ge=0, le=_MAX_DURATION_MS)


class AttachmentRequest(BaseModel):
    """A file to upload. For an end-to-end encrypted file, the name and the rest belong in the message body."""

    model_config = ConfigDict(extra="forbid", strict=True)

    size: int = Field(ge=1, le=_MAX_SIZE, description="In bytes.")
    name: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    encrypted: bool = Field(
        default=False, description="Ciphertext: the server does not inspect it or make a thumbnail."
    )
    keep_metadata: bool = Field(default=False, description="Keep a photo unchanged, including its location.")
    duration_ms: int | None = Field(None, ge=0, le=_MAX_DURATION_MS, description="Of a voice note.")
    waveform: list[Annotated[int, Field(ge=0, le=100)]] | None = Field(None, max_length=MAX_WAVEFORM)
    video: VideoRequest | None = Field(None, description="Of a video; its picture follows when it is complete.")

    def upload_request(self) -> UploadRequest:
        """Convert to the server's own type."""
        waveform = None if self.waveform is None else tuple(self.waveform)
        return UploadRequest(**self.model_dump(exclude={"waveform"}), waveform=waveform)


class UploadView(AttachmentView):
    """An attachment and its upload progress. Once `finished`, `size` and `content_type` are what the server stored."""

    conversation_id: str
    offset: int
    finished: bool


class AttachmentUrlsView(BaseModel):
    """Temporary URLs of a file, for this device only; to be loaded without a token."""

    file: str
    thumbnail: str | None
    expires_at: Timestamp
    expires_in: int = Field(description="Seconds until then, for devices with a wrong clock.")


class StorageView(BaseModel):
    """How many bytes the caller's attachments use, and the limits."""

    used_bytes: int
    quota_bytes: int
    max_file_bytes: int


@router.post("/conversations/{conversation_id}/attachments", status_code=201, summary="Begin an upload")
async def begin(
    conversation_id: str,
    body: AttachmentRequest,
    caller: Caller,
    context: InContext,
    response: Response,
    key: IdempotencyKey = None,
) -> UploadView:
    """Reserve room for a file to send to a conversation; its bytes follow with PATCH.

    Raises:
        NotFound: the caller is not in this conversation.
        AttachmentError, ChatError: there is no room for it, or it must be encrypted; see `Uploads.begin`.
    """
    upload = await attachments.begin_upload(context, caller, conversation_id, body.upload_request(), key)
    response.headers["location"] = f"/api/v1/attachments/{upload.attachment.id}"
    return _view(upload, context, response)


@router.get("/attachments/{attachment_id}", summary="Show an upload's progress")
async def show(attachment_id: str, caller: Caller, context: InContext, response: Response) -> UploadView:
    """Return the progress of the caller's upload, for HEAD in `Upload-Offset`; or an attachment that was sent.

    Raises:
        NotFound: there is none that the caller can see.
    """
    return _view(await attachments.find_upload(context, caller, attachment_id), context, response)


@router.patch("/attachments/{attachment_id}", summary="Upload a chunk", openapi_extra={"requestBody": _BYTES})
async def receive(
    attachment_id: str, offset: _Offset, request: Request, caller: Caller, context: InContext, response: Response
) -> UploadView:
    """Append bytes at an offset, at most 8 MiB per request. Bytes received before an interruption are kept.

    The last byte completes the upload.

    Raises:
        NotFound: the caller has no such upload.
        AttachmentError: the offset is wrong or the file is not acceptable; see `Uploads.receive`.
    """
    try:
        upload = await attachments.receive_upload(context, caller, attachment_id, int(offset), request.stream())
    except ClientDisconnect:  # nothing reads this response; what arrived is kept
        upload = await attachments.find_upload(context, caller, attachment_id)
    return _view(upload, context, response)


@router.put(
    "/attachments/{attachment_id}/poster", summary="Set a video's picture", openapi_extra={"requestBody": _PICTURE}
)
async def set_poster(
    attachment_id: str, request: Request, caller: Caller, context: InContext, response: Response
) -> UploadView:
    """Set the picture of a complete, unsent video of the caller that was requested with `video`.

    It is an image of at most 8 MiB, which is scaled down and loses its metadata. A video that has a picture keeps it.

    Raises:
        NotFound: the caller has no such video.
        AttachmentError: the picture is not acceptable; see `Uploads.set_poster`.
    """
    return _view(await attachments.set_poster(context, caller, attachment_id, request.body), context, response)


@router.delete("/attachments/{attachment_id}", status_code=204, summary="Cancel an upload")
async def cancel(attachment_id: str, caller: Caller, context: InContext) -> None:
    """Delete an upload of the caller that was not sent.

    Raises:
        NotFound: there is none.
    """
    await attachments.cancel_upload(context, caller, attachment_id)


@router.get("/attachments/{attachment_id}/address", summary="Get the file's URL")
async def address(attachment_id: str, caller: Caller, context: InContext) -> AttachmentUrlsView:
    """Return URLs of the file and its thumbnail, valid for five minutes and for the caller's device.

    Raises:
        NotFound: there is none that the caller can see.
    """
    urls = await attachments.issue_file_urls(context, caller, attachment_id)
    return AttachmentUrlsView(
        file=urls.file, thumbnail=urls.thumbnail, expires_at=urls.expires_at, expires_in=ADDRESS_SECONDS
    )


@router.get("/me/storage", summary="Show my storage usage")
async def storage(caller: Caller, context: InContext) -> StorageView:
    """Return how much storage the caller's attachments use."""
    usage = await attachments.read_storage_usage(context, caller)
    return StorageView(
        used_bytes=usage.used_bytes,
        quota_bytes=usage.quota.person_bytes,
        max_file_bytes=usage.quota.file_bytes,
    )


def _view(upload: Upload, context: Context, response: Response) -> UploadView:
    """Return the upload, also in the headers that tus 1.0 clients read."""
    response.headers["upload-offset"] = str(upload.offset)
    response.headers["upload-length"] = str(upload.attachment.size)
    response.headers["tus-resumable"] = "1.0.0"
    response.headers["cache-control"] = "no-store"
    [view] = attachment_views([upload.attachment], context.vault)
    return {
        **view,
        "conversation_id": upload.attachment.conversation_id,
        "offset": upload.offset,
        "finished": upload.attachment.finished_at is not None,
    }
