"""Resumable uploads: requested, sent in pieces of any size, resumed after an interruption, inspected, then complete.

    upload = await uploads.begin(identity, conversation_id, UploadRequest(size=5))
    upload = await uploads.receive(identity, upload.attachment.id, 0, pieces)

The server does not decode videos. The sender's device measures them, and uploads a picture of them with `set_poster`.

The offset of an upload is the size of its file; the database does not store it, so the two cannot disagree.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from famichat.accounts.idempotency import KeyedRequest, earlier_result, remember_result
from famichat.accounts.sign_in.token import Identity
from famichat.attachments.content_type import PICTURES, PLAIN, SHOWN, SNIFFED_BYTES, renamed, sniff
from famichat.attachments.downloads import visible
from famichat.attachments.errors import (
    ChecksumMismatch,
    FileTooLarge,
    PictureTooLarge,
    PictureUnreadable,
    ServerFull,
    UploadBusy,
    WrongOffset,
)
from famichat.attachments.files import Files
from famichat.attachments.picture import Picture, PictureRefused, clean
from famichat.attachments.quota import Quota, check_quota
from famichat.attachments.upload_request import UploadRequest
from famichat.chat.access import conversation_for
from famichat.chat.contact import require_open
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import EncryptionRequired, InvalidEncryptionMetadata, NotFound
from famichat.chat.records.attachment import Attachment, AttachmentSecrets, secrets_of
from famichat.storage.base import is_id, new_id, now
from famichat.storage.crypto.sealed_file import SealedWriter, new_key, read, size_of
from famichat.storage.crypto.vault import Vault
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events

_PICTURES_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload and the number of bytes received so far."""

    attachment: Attachment
    secrets: AttachmentSecrets
    offset: int


@dataclass(frozen=True, slots=True)
class _Inspected:
    """The result of inspecting a completely received file."""

    name: str | None
    size: int
    content_type: str
    picture: Picture | None = None


class Uploads:
    """Receives and inspects uploads.

    Args:
        database: stores the attachments.
        vault: encrypts their keys.
        files: stores their bytes.
        quota: limits per user and per file.
        policies: encryption policies of the conversation types.
    """

    def __init__(
        self, database: Database, vault: Vault, files: Files, quota: Quota, policies: EncryptionPolicies
    ) -> None:
        self._database = database
        self._vault = vault
        self._files = files
        self._policies = policies
        self.quota = quota
        self._workers = ThreadPoolExecutor(_PICTURES_AT_ONCE, "pictures")

    def close(self) -> None:
        """Finish running inspections."""
        self._workers.shutdown(wait=True)

    async def begin(
        self, identity: Identity, conversation_id: str, request: UploadRequest, key: str | None = None
    ) -> Upload:
        """Start an upload into a conversation.

        Args:
            identity: the uploading device.
            conversation_id: the conversation.
            request: the file.
            key: the request's idempotency key. A repeated request returns the same upload, unless it was cancelled.

        Raises:
            IdempotencyKeyReused: the user used the key for another request.
            NotFound: the conversation does not exist, or the user is not in it.
            ContactEnded: the conversation is direct, and the contact has ended.
            EncryptionRequired, InvalidEncryptionMetadata: the file violates the conversation's encryption policy.
            FileTooLarge, QuotaExceeded, TooManyUploads, ServerFull: a limit is exceeded.
        """
        if request.size > self.quota.file_bytes:
            raise FileTooLarge(max_bytes=self.quota.file_bytes)

        parameters = asdict(request)
        if request.video is None:  # an earlier version did not have the field, and the request may be a repeat
            del parameters["video"]
        keyed = KeyedRequest.of(key, "upload", conversation_id, parameters)

        def work(session: Session) -> Upload:
            access = conversation_for(session, identity.user_id, conversation_id)
            require_open(session, access)
            conversation = access.conversation
            policy = self._policies.of(conversation.type, required_once=conversation.encryption_required)
            if policy == "required" and not request.encrypted:
                raise EncryptionRequired
            if policy == "forbidden" and request.encrypted:
                raise InvalidEncryptionMetadata(field="encrypted")
            earlier_id = earlier_result(session, identity.user_id, keyed)
            earlier = None if earlier_id is None else session.get(Attachment, earlier_id)
            if earlier is not None:
                return self._upload(earlier)
            check_quota(session, identity.user_id, request.size, self.quota)
            self._reserve(session, request.size)
            upload = self._new_upload(session, identity.user_id, conversation.id, request)
            remember_result(session, identity.user_id, keyed, upload.attachment.id)
            return upload

        return await self._database.transaction(work)

    async def find(self, identity: Identity, attachment_id: str) -> Upload:
        """Return the user's own unsent upload, or a sent attachment that the user may see.

        Raises:
            NotFound: there is no such attachment, or the user may not see it.
        """

        def work(session: Session) -> Attachment:
            try:
                return _own(session, identity.user_id, attachment_id)
            except NotFound:
                return visible(session, identity.user_id, attachment_id)

        attachment = await self._database.read(work)
        return await asyncio.to_thread(self._upload, attachment)

    async def receive(
        self, identity: Identity, attachment_id: str, offset: int, pieces: AsyncIterator[bytes]
    ) -> Upload:
        """Receive the next bytes of an upload. Bytes received before an error are kept; the last byte completes it.

        Args:
            identity: the uploading device.
            attachment_id: the upload.
            offset: position of the first byte; must equal the number of bytes received so far.
            pieces: the bytes.

        Raises:
            NotFound: there is no such upload.
            WrongOffset: `offset` is not the current offset.
            UploadBusy: another request is sending bytes.
            FileTooLarge: more bytes arrived than were requested.
            ChecksumMismatch, PictureTooLarge, PictureUnreadable: inspection failed; the upload restarts at offset 0.
            StorageUnavailable: the disk is full or failing.
        """
        upload = await self.find(identity, attachment_id)
        if upload.attachment.finished_at is not None:
            return _with_offset(upload, offset)
        async with self._writing(upload) as writer:
            # Read again under the writer's lock: meanwhile the upload may have been completed or cancelled.
            upload = await self.find(identity, attachment_id)
            if upload.attachment.finished_at is None:
                await self._take(_with_offset(replace(upload, offset=writer.size), offset), writer, pieces)
                # Inspection may have changed `size`, but the client counts the bytes that it sent.
                upload = replace(await self.find(identity, attachment_id), offset=writer.size)
        return upload

    async def set_poster(self, identity: Identity, attachment_id: str, data: bytes) -> Upload:
        """Store a picture of a complete, unsent video as its thumbnail. A video that has one keeps it.

        Args:
            identity: the uploading device.
            attachment_id: the video.
            data: the picture, in any format that is accepted as a photo.

        Raises:
            NotFound: the user has no such video.
            UploadBusy: another request is doing the same.
            PictureTooLarge, PictureUnreadable: see `clean`.
            StorageUnavailable: the disk is full or failing.
        """
        upload = await self._own_video(identity, attachment_id)
        async with self._writing(upload):
            # Read again under the writer's lock: another request may have stored a picture meanwhile.
            upload = await self._own_video(identity, attachment_id)
            if not upload.attachment.thumbnail_bytes:
                await self._store_poster(identity, upload, data)
        return await self._own_video(identity, attachment_id)

    async def cancel(self, identity: Identity, attachment_id: str) -> None:
        """Delete an unsent upload, complete or not.

        Raises:
            NotFound: there is no such upload.
        """

        def work(session: Session) -> None:
            session.delete(_own(session, identity.user_id, attachment_id))

        await self._database.transaction(work)
        await asyncio.to_thread(self._files.remove, [attachment_id])

    @asynccontextmanager
    async def _writing(self, upload: Upload) -> AsyncIterator[SealedWriter]:
        """Hold the writer of an upload, of which only one request at a time can have it.

        Raises:
            UploadBusy: another request has it.
            StorageUnavailable: the disk is full or failing, also within the block.
        """
        try:
            writer = await asyncio.to_thread(self._writer, upload)
        except BlockingIOError:
            raise UploadBusy from None
        except OSError as error:
            raise _unavailable(error) from error
        try:
            yield writer
        except OSError as error:
            raise _unavailable(error) from error
        finally:
            await asyncio.to_thread(writer.close)

    async def _own_video(self, identity: Identity, attachment_id: str) -> Upload:
        attachment = await self._database.read(lambda session: _own(session, identity.user_id, attachment_id))
        upload = await asyncio.to_thread(self._upload, attachment)
        if attachment.finished_at is None or upload.secrets.video is None:
            raise NotFound
        return upload

    async def _store_poster(self, identity: Identity, upload: Upload, data: bytes) -> None:
        def store() -> int:
            picture = _picture_of(data)
            self._store_thumbnail(upload, picture)
            return len(picture.thumbnail)

        thumbnail_bytes = await asyncio.get_running_loop().run_in_executor(self._workers, store)

        def work(session: Session) -> None:
            _own(session, identity.user_id, upload.attachment.id).thumbnail_bytes = thumbnail_bytes

        await self._database.transaction(work)

    def _reserve(self, session: Session, size: int) -> None:
        """Raise ServerFull unless `size` bytes fit on the disk besides what earlier uploads will still bring.

        The transaction is serializable, so that of two uploads that begin at the same time one sees the other.
        """
        # Only `message_id` has an index; an unfinished upload is never part of a message.
        unfinished = select(Attachment.id, Attachment.size).where(
            Attachment.message_id.is_(None), Attachment.finished_at.is_(None)
        )
        expected = sum(
            max(0, requested - size_of(self._files.upload(attachment_id)))
            for attachment_id, requested in session.execute(unfinished)
        )
        if not self._files.has_room_for(expected + size):
            raise ServerFull

    def _new_upload(self, session: Session, user_id: str, conversation_id: str, request: UploadRequest) -> Upload:
        attachment_id = new_id()
        secrets = AttachmentSecrets(
            key=base64.b64encode(new_key()).decode(),
            name=request.safe_name,
            waveform=request.waveform,
            sha256=request.sha256,
            video=None if request.encrypted else request.video,
        )
        attachment = Attachment(
            id=attachment_id,
            conversation_id=conversation_id,
            user_id=user_id,
            size=request.size,
            content_type=request.content_type,
            encrypted=request.encrypted,
            keep_metadata=request.keep_metadata,
            duration_ms=request.duration_ms,
            sealed=secrets.seal(self._vault, attachment_id),
        )
        session.add(attachment)
        session.flush()
        return Upload(attachment, secrets, 0)

    def _upload(self, attachment: Attachment) -> Upload:
        finished = attachment.finished_at is not None
        offset = attachment.size if finished else size_of(self._files.upload(attachment.id))
        return Upload(attachment, secrets_of(attachment, self._vault), offset)

    def _writer(self, upload: Upload) -> SealedWriter:
        attachment_id = upload.attachment.id
        return SealedWriter(self._files.upload(attachment_id), upload.secrets.file_key, attachment_id)

    async def _take(self, upload: Upload, writer: SealedWriter, pieces: AsyncIterator[bytes]) -> None:
        try:
            async for piece in pieces:
                if writer.size + len(piece) > upload.attachment.size:
                    raise FileTooLarge(max_bytes=upload.attachment.size)
                await asyncio.to_thread(writer.write, piece)
        finally:
            await asyncio.to_thread(writer.keep)
        if writer.size == upload.attachment.size:
            await self._finish(upload, writer)

    async def _finish(self, upload: Upload, writer: SealedWriter) -> None:
        def inspect() -> _Inspected:
            writer.finish()
            return self._inspect(upload)

        try:
            inspected = await asyncio.get_running_loop().run_in_executor(self._workers, inspect)
        except (ChecksumMismatch, PictureTooLarge, PictureUnreadable) as fault:
            await asyncio.to_thread(self._files.remove, [upload.attachment.id])
            emit(events.UploadRefused(reason=fault.code, size_bytes=upload.attachment.size))
            raise
        video = upload.secrets.video if inspected.content_type.startswith("video/") else None
        secrets = replace(upload.secrets, name=inspected.name, video=video)
        sealed = secrets.seal(self._vault, upload.attachment.id)
        await self._database.transaction(lambda session: _complete(session, upload.attachment.id, inspected, sealed))
        if inspected.picture is not None and not upload.attachment.keep_metadata:
            await asyncio.to_thread(self._files.upload(upload.attachment.id).unlink, missing_ok=True)
        emit(
            events.UploadFinished(
                content_type=inspected.content_type, size_bytes=inspected.size, encrypted=upload.attachment.encrypted
            )
        )

    def _inspect(self, upload: Upload) -> _Inspected:
        attachment, secrets = upload.attachment, upload.secrets
        path = self._files.upload(attachment.id)
        if secrets.sha256 is not None:
            digest = hashlib.sha256()
            for piece in read(path, secrets.file_key, attachment.id):
                digest.update(piece)
            if digest.hexdigest() != secrets.sha256:
                raise ChecksumMismatch
        if attachment.encrypted:
            return _Inspected(secrets.name, attachment.size, PLAIN)
        content_type = _sniffed(path, secrets.file_key)
        if content_type in PICTURES:
            return self._picture(upload, content_type)
        return _Inspected(secrets.name, attachment.size, content_type)

    def _picture(self, upload: Upload, sniffed: str) -> _Inspected:
        attachment, name = upload.attachment, upload.secrets.name
        try:
            return self._original(upload, sniffed) if attachment.keep_metadata else self._cleaned(upload, sniffed)
        except PictureRefused as refused:
            if attachment.keep_metadata:  # offered for download like any other file, and never displayed
                return _Inspected(name, attachment.size, PLAIN if sniffed in SHOWN else sniffed)
            raise (PictureTooLarge if refused.too_many_pixels else PictureUnreadable) from refused

    def _original(self, upload: Upload, sniffed: str) -> _Inspected:
        picture = clean(self._source(upload), sniffed, into=None)
        self._store_thumbnail(upload, picture)
        return _Inspected(upload.secrets.name, upload.attachment.size, sniffed, picture)

    def _cleaned(self, upload: Upload, sniffed: str) -> _Inspected:
        key, name = upload.secrets.file_key, upload.secrets.name
        new = self._files.picture(upload.attachment.id)
        new.unlink(missing_ok=True)
        with SealedWriter(new, key, new.name) as writer:
            picture = clean(self._source(upload), sniffed, into=writer.write)
            writer.finish()
            size = writer.size
        self._store_thumbnail(upload, picture)
        content_type = _sniffed(new, key)
        if name is not None and content_type != sniffed:
            name = renamed(name, content_type)
        return _Inspected(name, size, content_type, picture)

    def _store_thumbnail(self, upload: Upload, picture: Picture) -> None:
        thumbnail = self._files.thumbnail(upload.attachment.id)
        thumbnail.unlink(missing_ok=True)
        with SealedWriter(thumbnail, upload.secrets.file_key, thumbnail.name) as writer:
            writer.write(picture.thumbnail)
            writer.finish()

    def _source(self, upload: Upload) -> Iterator[bytes]:
        attachment = upload.attachment
        return read(self._files.upload(attachment.id), upload.secrets.file_key, attachment.id)


def _picture_of(data: bytes) -> Picture:
    """Return the dimensions and the thumbnail of a picture."""
    content_type = sniff(data[:SNIFFED_BYTES])
    if content_type not in PICTURES:
        raise PictureUnreadable
    try:
        return clean([data], content_type, into=None)
    except PictureRefused as refused:
        raise (PictureTooLarge if refused.too_many_pixels else PictureUnreadable) from refused


def _own(session: Session, user_id: str, attachment_id: str) -> Attachment:
    attachment = session.get(Attachment, attachment_id) if is_id(attachment_id) else None
    if attachment is None or attachment.user_id != user_id or attachment.message_id is not None:
        raise NotFound
    conversation_for(session, user_id, attachment.conversation_id)  # removed members can no longer upload
    return attachment


def _with_offset(upload: Upload, offset: int) -> Upload:
    if upload.offset != offset:
        raise WrongOffset(offset=upload.offset)
    return upload


def _sniffed(path: Path, key: bytes) -> str:
    return sniff(b"".join(read(path, key, path.name, 0, SNIFFED_BYTES)))


def _complete(session: Session, attachment_id: str, inspected: _Inspected, sealed: bytes) -> None:
    picture = inspected.picture
    session.execute(
        update(Attachment)
        .where(Attachment.id == attachment_id, Attachment.finished_at.is_(None))
        .values(
            size=inspected.size,
            content_type=inspected.content_type,
            sealed=sealed,
            width=picture.width if picture else None,
            height=picture.height if picture else None,
            thumbnail_bytes=len(picture.thumbnail) if picture else 0,
            finished_at=now(),
        )
    )


def _unavailable(error: OSError) -> StorageUnavailable:
    emit(events.StorageFailed(operation="files", error_type=type(error).__name__))
    return StorageUnavailable("files")
