"""Photos, files and voice notes: uploaded piece by piece, and fetched through addresses that expire."""

from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect

from famichat.attachments.downloads import visible
from famichat.attachments.quota import storage_of
from famichat.attachments.signed_url import UrlGrant
from famichat.attachments.upload_request import MAX_NAME, MAX_WAVEFORM, UploadRequest
from famichat.attachments.uploads import Upload
from famichat.chat.records.attachment import attachment_views
from famichat.endpoint.api.schemas import MessageAttachment
from famichat.endpoint.http.context import Caller, Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp

router = api_router("", "attachments")

MAX_PIECE_BYTES = 8 * 1024 * 1024
"""So much one PATCH may bring; longer ones would meet the server's patience before their end."""
_MAX_SIZE = 2**53
_BYTES = {"content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_Offset = Annotated[str, Header(alias="Upload-Offset", pattern=r"^\d{1,15}$")]


class NewAttachment(BaseModel):
    """What will be uploaded. Of what is encrypted end to end, name and the rest go into the message's body."""

    model_config = ConfigDict(extra="forbid", strict=True)

    size: int = Field(ge=1, le=_MAX_SIZE, description="In bytes.")
    name: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    encrypted: bool = Field(default=False, description="It is ciphertext: it is not looked at, and has no thumbnail.")
    keep_metadata: bool = Field(default=False, description="A picture stays as it is, with where it was taken.")
    duration_ms: int | None = Field(None, ge=0, le=24 * 60 * 60 * 1000, description="Of a voice note.")
    waveform: list[Annotated[int, Field(ge=0, le=100)]] | None = Field(None, max_length=MAX_WAVEFORM)

    def understood(self) -> UploadRequest:
        """The same, as the server keeps it."""
        waveform = None if self.waveform is None else tuple(self.waveform)
        return UploadRequest(**self.model_dump(exclude={"waveform"}), waveform=waveform)


class UploadView(MessageAttachment):
    """An attachment, and how far its upload is. When it is `finished`, `size` and `content_type` are what there is."""

    conversation_id: str
    offset: int
    finished: bool


class AddressView(BaseModel):
    """Where the file is for the next minutes, for this device only; to be loaded without a token."""

    file: str
    thumbnail: str | None
    expires_at: Timestamp


class StorageView(BaseModel):
    """How much the caller keeps here in attachments, and how much that may be."""

    used_bytes: int
    quota_bytes: int
    max_file_bytes: int


@router.post("/conversations/{conversation_id}/attachments", status_code=201, summary="Begin an upload")
async def begin(
    conversation_id: str, body: NewAttachment, caller: Caller, context: InContext, response: Response
) -> UploadView:
    """Announce a file that will be sent into a conversation; its bytes follow with PATCH.

    Raises:
        NotFound: the caller is in no such conversation.
        AttachmentError, ChatError: there is no room for it, or it must be encrypted; see `Uploads.begin`.
    """
    context.rate_limits.check("upload", caller)
    upload = await context.uploads.begin(caller, conversation_id, body.understood())
    response.headers["location"] = f"/api/v1/attachments/{upload.attachment.id}"
    return _view(upload, context, response)


@router.get("/attachments/{attachment_id}", summary="How far is an upload?")
async def show(attachment_id: str, caller: Caller, context: InContext, response: Response) -> UploadView:
    """Say how far the caller's upload is, also by HEAD in `Upload-Offset`; or what an attachment is that was sent.

    Raises:
        NotFound: there is none that the caller can see.
    """
    return _view(await context.uploads.find(caller, attachment_id), context, response)


@router.patch("/attachments/{attachment_id}", summary="Send a piece", openapi_extra={"requestBody": _BYTES})
async def receive(
    attachment_id: str, offset: _Offset, request: Request, caller: Caller, context: InContext, response: Response
) -> UploadView:
    """Take bytes from an offset on, at most 8 MiB at once; what arrived before a cut is kept. The last one ends it.

    Raises:
        NotFound: the caller has no such upload.
        AttachmentError: it does not go on there, or cannot be taken; see `Uploads.receive`.
    """
    try:
        upload = await context.uploads.receive(caller, attachment_id, int(offset), request.stream())
    except ClientDisconnect:  # nobody hears the answer; what came is kept
        upload = await context.uploads.find(caller, attachment_id)
    return _view(upload, context, response)


@router.delete("/attachments/{attachment_id}", status_code=204, summary="Cancel an upload")
async def cancel(attachment_id: str, caller: Caller, context: InContext) -> None:
    """Forget an upload of the caller that was not sent.

    Raises:
        NotFound: there is none.
    """
    await context.uploads.cancel(caller, attachment_id)


@router.get("/attachments/{attachment_id}/address", summary="Where is the file?")
async def address(attachment_id: str, caller: Caller, context: InContext) -> AddressView:
    """Give addresses of the file, and of the small picture of it, good for five minutes and for the caller's device.

    Raises:
        NotFound: there is none that the caller can see.
    """
    found = await context.database.read(lambda session: visible(session, caller.user_id, attachment_id))
    ticket = UrlGrant(caller.user_id, caller.device_id, found.id, "file")
    file, expires_at = context.signed_urls.issue(ticket)
    small = context.signed_urls.issue(UrlGrant(ticket.user_id, ticket.device_id, found.id, "thumbnail"))[0]
    return AddressView(file=file, thumbnail=small if found.thumbnail_bytes else None, expires_at=expires_at)


@router.get("/me/storage", summary="How much do I keep here?")
async def storage(caller: Caller, context: InContext) -> StorageView:
    """Say how much room the caller's attachments take."""

    def work(session: Session) -> int:
        return storage_of(session, [caller.user_id])[caller.user_id]

    quota = context.uploads.quota
    return StorageView(
        used_bytes=await context.database.read(work),
        quota_bytes=quota.person_bytes,
        max_file_bytes=quota.file_bytes,
    )


def _view(upload: Upload, context: Context, response: Response) -> UploadView:
    """The answer; and the same in the headers that clients of tus 1.0 read."""
    response.headers["upload-offset"] = str(upload.offset)
    response.headers["upload-length"] = str(upload.attachment.size)
    response.headers["tus-resumable"] = "1.0.0"
    response.headers["cache-control"] = "no-store"
    [shown] = attachment_views([upload.attachment], context.vault)
    return UploadView(
        **shown,
        conversation_id=upload.attachment.conversation_id,
        offset=upload.offset,
        finished=upload.attachment.finished_at is not None,
    )
