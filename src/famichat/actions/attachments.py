"""Upload attachments, hand out their URLs and bytes, and report how much storage they use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from famichat.accounts.errors import InvalidToken
from famichat.accounts.sign_in.token import Claims, Identity, authenticate
from famichat.actions.services import Services
from famichat.attachments.downloads import Download, open_download, visible
from famichat.attachments.quota import Quota, storage_of
from famichat.attachments.signed_url import UrlGrant
from famichat.attachments.upload_request import UploadRequest
from famichat.attachments.uploads import Upload
from famichat.chat.errors import NotFound
from famichat.chat.families.admin import people_of
from famichat.storage.base import now
from famichat.storage.size import database_bytes

STORAGE_STEP_BYTES = 10_000_000
"""Sizes shown to a family admin are rounded up to this: exact ones would reveal when two members exchange files."""


@dataclass(frozen=True, slots=True)
class FileUrls:
    """Signed paths of an attachment, valid for the requesting device until `expires_at`.

    Attributes:
        file: the attachment.
        thumbnail: its thumbnail, or None if it has none.
        expires_at: when both stop working.
    """

    file: str
    thumbnail: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StorageUsage:
    """How many bytes of attachments a user stores, and the limits."""

    used_bytes: int
    quota: Quota


@dataclass(frozen=True, slots=True)
class FamilyStorage:
    """How much storage a server and the members of one family use, in multiples of `STORAGE_STEP_BYTES`.

    Attributes:
        database_bytes: the size of the whole database.
        file_bytes: the size of each member's attachments, by user id.
        last_backup_at: when the last backup was taken; None if there is none.
    """

    database_bytes: int
    file_bytes: dict[str, int]
    last_backup_at: datetime | None


async def begin_upload(
    services: Services, actor: Identity, conversation_id: str, request: UploadRequest, key: str | None = None
) -> Upload:
    """Reserve room for a file to send to a conversation; its bytes follow with `receive_upload`.

    With `key`, the request's idempotency key, a repeated request returns the same upload.

    Raises:
        RateLimited: too many uploads.
        NotFound: the actor is not in this conversation.
        AttachmentError, ChatError: no room, or it must be encrypted; see `Uploads.begin`.
    """
    services.rate_limits.check("upload", actor)
    return await services.uploads.begin(actor, conversation_id, request, key)


async def find_upload(services: Services, actor: Identity, attachment_id: str) -> Upload:
    """Return the actor's upload, or an attachment that was sent to the actor.

    Raises:
        NotFound: there is none that the actor can see.
    """
    return await services.uploads.find(actor, attachment_id)


async def receive_upload(
    services: Services, actor: Identity, attachment_id: str, offset: int, chunks: AsyncIterator[bytes]
) -> Upload:
    """Append bytes to the actor's upload. Bytes received before an interruption are kept.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        attachment_id: the upload.
        offset: how many bytes the client believes the server has.
        chunks: the bytes that follow.

    Raises:
        NotFound: the actor has no such upload.
        AttachmentError: the offset is wrong or the file is not acceptable; see `Uploads.receive`.
    """
    return await services.uploads.receive(actor, attachment_id, offset, chunks)


async def set_poster(
    services: Services, actor: Identity, attachment_id: str, read_image: Callable[[], Awaitable[bytes]]
) -> Upload:
    """Store a picture of the actor's complete, unsent video.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        attachment_id: the video.
        read_image: returns an image in any supported format; called only if the rate limit allows the upload.

    Raises:
        RateLimited: too many uploads.
        NotFound: the actor has no such video.
        AttachmentError: the picture is not acceptable; see `Uploads.set_poster`.
    """
    services.rate_limits.check("upload", actor)
    return await services.uploads.set_poster(actor, attachment_id, await read_image())


async def cancel_upload(services: Services, actor: Identity, attachment_id: str) -> None:
    """Delete an upload of the actor that was not sent.

    Raises:
        NotFound: there is none.
    """
    await services.uploads.cancel(actor, attachment_id)


async def issue_file_urls(services: Services, actor: Identity, attachment_id: str) -> FileUrls:
    """Return signed URLs of an attachment and its thumbnail, for the actor's device.

    Raises:
        NotFound: there is none that the actor can see.
    """
    found = await services.read(visible, actor.user_id, attachment_id)
    grant = UrlGrant(actor.user_id, actor.device_id, found.id, "file")
    file, expires_at = services.signed_urls.issue(grant)
    if not found.thumbnail_bytes:
        return FileUrls(file, None, expires_at)
    thumbnail, _ = services.signed_urls.issue(UrlGrant(actor.user_id, actor.device_id, found.id, "thumbnail"))
    return FileUrls(file, thumbnail, expires_at)


async def open_file(services: Services, token: str) -> Download:
    """Open the file that a signed URL names. The device it was issued to must still be allowed to see it.

    Raises:
        NotFound: the URL is invalid or expired, or the file may no longer be seen; the reason is not revealed.
        FileDamaged: the row of the file was modified on the disk.
        RateLimited: too many requests from this device.
    """
    grant = services.signed_urls.read(token)

    def work(session: Session) -> tuple[Identity, Download]:
        try:
            actor = authenticate(session, Claims(grant.user_id, grant.device_id, now()))
        except InvalidToken:  # a revoked device learns no more than a stranger
            raise NotFound from None
        attachment = visible(session, actor.user_id, grant.attachment_id)
        return actor, open_download(attachment, grant.part, services.vault)

    actor, download = await services.read(work)
    services.rate_limits.check("request", actor)
    return download


async def read_storage_usage(services: Services, actor: Identity) -> StorageUsage:
    """Return how much the actor's attachments use."""
    used = await services.read(storage_of, [actor.user_id])
    return StorageUsage(used[actor.user_id], services.uploads.quota)


async def read_family_storage(services: Services, actor: Identity, family_id: str) -> FamilyStorage:
    """Return how much storage the database and each family member use, to a family admin.

    Raises:
        RateLimited: too many reads.
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    services.rate_limits.check("read", actor)

    def work(session: Session) -> tuple[int, dict[str, int]]:
        members = people_of(session, actor.user_id, family_id)
        return database_bytes(session), storage_of(session, members)

    database, files = await services.read(work)
    return FamilyStorage(
        _round_up(database),
        {user_id: _round_up(size) for user_id, size in files.items()},
        await asyncio.to_thread(services.data_dir.last_backup),
    )


def _round_up(size: int) -> int:
    return -(-size // STORAGE_STEP_BYTES) * STORAGE_STEP_BYTES
