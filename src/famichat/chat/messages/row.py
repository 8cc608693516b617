"""Rows of messages for pages. The ORM would need several times as long to load them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from famichat.chat.journal.entry import Attached
from famichat.chat.records.attachment import Attachment
from famichat.chat.records.message import Message
from famichat.storage.checksum import is_intact
from famichat.storage.prepared import Prepared


@dataclass(slots=True)
class MessageRow:
    """The columns of a `Message`, under the same names."""

    id: str
    conversation_id: str
    seq: int
    user_id: str
    device_id: str | None
    message_type: str
    body: bytes | None
    client_id: str | None
    fingerprint: bytes | None
    reply_to_id: str | None
    encryption_flag: bool
    encryption_version: str | None
    key_id: str | None
    protocol: str | None
    epoch: int | None
    sender_device_id: str | None
    inserted_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    deleted_by_id: str | None
    edits: int
    change: int
    checksum: int | None

    @property
    def is_intact(self) -> bool:
        """Whether the row is as it was written."""
        return is_intact(Message, self)


MESSAGE_COLUMNS: Final = [Message.__table__.columns[field.name] for field in fields(MessageRow)]


def message_rows(session: Session, query: Select[Message]) -> list[MessageRow]:
    """Return the rows of a query for messages that is built for one use; frequent ones are `Prepared`."""
    # Executed by the connection, because the session would process the columns of each row as those of entities.
    rows = session.connection().execute(query.with_only_columns(*MESSAGE_COLUMNS)).all()
    return [MessageRow(*row) for row in rows]


def attachments_of(session: Session, messages: Sequence[MessageRow]) -> dict[str, list[Attached]]:
    """Return the attachments of messages by message id, in their order, with at most one query."""
    found: dict[str, list[Attached]] = {}
    if messages:
        for message_id, *columns in _ATTACHMENTS.rows(session, message_ids=[each.id for each in messages]):
            found.setdefault(message_id, []).append(Attached(*columns))
    return found


_ATTACHMENTS: Final = Prepared[*tuple[Any, ...]](
    select(Attachment.message_id, *(Attachment.__table__.columns[field.name] for field in fields(Attached)))
    .where(Attachment.message_id.in_(bindparam("message_ids", expanding=True)))
    .order_by(Attachment.position)
)
