"""Storage used by attachments, and its limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.attachments.errors import QuotaExceeded, TooManyUploads
from famichat.chat.records.attachment import Attachment

MAX_UNSENT = 50
_BYTES = Attachment.size + Attachment.thumbnail_bytes


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits in bytes: attachments per user, and size of one file."""

    person_bytes: int
    file_bytes: int


def storage_of(session: Session, user_ids: Sequence[str]) -> dict[str, int]:
    """Return the bytes of attachments per user. Unfinished uploads count with their requested size."""
    mine = select(Attachment.user_id, func.sum(_BYTES)).where(Attachment.user_id.in_(user_ids))
    found = {user_id: int(total) for user_id, total in session.execute(mine.group_by(Attachment.user_id))}
    return {user_id: found.get(user_id, 0) for user_id in user_ids}


def check_quota(session: Session, user_id: str, size: int, quota: Quota) -> None:
    """Check whether a user may start an upload of `size` bytes.

    Raises:
        QuotaExceeded: the user's attachments would exceed the quota.
        TooManyUploads: the user has too many unsent uploads.
    """
    used = storage_of(session, [user_id])[user_id]
    if used + size > quota.person_bytes:
        raise QuotaExceeded(used_bytes=used, quota_bytes=quota.person_bytes)
    unsent = select(func.count()).where(Attachment.user_id == user_id, Attachment.message_id.is_(None))
    if session.execute(unsent).scalar_one() >= MAX_UNSENT:
        raise TooManyUploads(max_uploads=MAX_UNSENT)
