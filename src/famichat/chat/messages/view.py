"""Builds the JSON of messages, identical on every transport. `schema.py` declares the types."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from famichat.chat.journal.entry import Entry, Stored
from famichat.chat.messages.content import open_text
from famichat.chat.messages.reaction import reaction_view, reactions_to
from famichat.chat.messages.row import MessageRow, attachments_of
from famichat.chat.messages.schema import MessageView, ReactionView
from famichat.chat.records.attachment import AttachmentFields, attachment_views
from famichat.chat.records.envelope_columns import EnvelopeSource, envelope_fields
from famichat.chat.records.message import BODY_PURPOSE, Message, body_aad
from famichat.chat.records.reaction import Reaction
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import now, rfc3339
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError
from famichat.telemetry import emit, events

EPOCH = "1970-01-01T00:00:00.000000Z"
"""The time of a damaged message, if no neighbour is known."""


def message_views(session: Session, messages: Sequence[Message], vault: Vault) -> list[MessageView]:
    """Build the JSON of stored messages with their reactions, with at most one query."""
    reactions = reactions_among(session, messages)
    return [message_view(each, vault, reactions.get(each.id, ())) for each in messages]


def reactions_among(session: Session, messages: Sequence[Message | MessageRow]) -> dict[str, list[Reaction]]:
    """Return the reactions to messages by message id. Messages that never changed have none and are not queried."""
    changed = [each.id for each in messages if each.change]
    return reactions_to(session, changed) if changed else {}


def message_view(message: Message, vault: Vault, reactions: Sequence[Reaction] = ()) -> MessageView:
    """Build the JSON of a stored message.

    If the body or an attachment cannot be decrypted, the message keeps its position: `body` is None and `error_code` is
    present. So does a damaged message, of which nothing else is shown.
    """
    if not message.is_intact:
        return damaged_view(message.conversation_id, message.seq, EPOCH)
    return row_view(message, vault, reactions, message.attachments)


def row_view(
    message: Message | MessageRow,
    vault: Vault,
    reactions: Sequence[Reaction],
    attachments: Sequence[AttachmentFields],
) -> MessageView:
    """Build the JSON of a stored message whose row is intact; see `message_view`."""
    view = _build(
        message,
        message_id=message.id,
        seq=message.seq,
        inserted_at=message.inserted_at,
        edited_at=message.edited_at,
        deleted_at=message.deleted_at,
        deleted_by=message.deleted_by_id,
        reactions=[reaction_view(each, vault) for each in reactions],
        change=message.change,
    )
    try:
        view["body"] = body_of(message, vault)
        if message.deleted_at is None:
            view["attachments"] = attachment_views(attachments, vault)
    except UnsealError:
        view["error_code"] = EncryptionErrorCode.DECRYPTION_FAILURE.value
    return view


def row_views(session: Session, rows: Sequence[MessageRow], vault: Vault) -> dict[str, MessageView]:
    """Build the JSON of messages with their reactions and attachments, by message id, with at most two queries."""
    attachments, reactions = attachments_of(session, rows), reactions_among(session, rows)
    return {
        each.id: row_view(each, vault, reactions.get(each.id, ()), attachments.get(each.id, ()))
        if each.is_intact
        else damaged_view(each.conversation_id, each.seq, EPOCH)
        for each in rows
    }


def damaged_view(conversation_id: str, seq: int, inserted_at: str) -> MessageView:
    """Build the JSON that takes the place of a message whose row is damaged or missing; report it.

    Args:
        conversation_id: the conversation.
        seq: the position of the message.
        inserted_at: an approximate time, RFC 3339.
    """
    emit(events.MessageDamaged(conversation_id=conversation_id, seq=seq))
    message_id = str(uuid.uuid5(uuid.UUID(conversation_id), str(seq)))
    fields = Entry(
        id=message_id,
        conversation_id=conversation_id,
        conversation_type=None,
        user_id=str(uuid.UUID(int=0)),
        device_id="",
        message_type="text",
        body=b"",
        client_id=None,
        fingerprint=None,
        reply_to_id=None,
        encryption_flag=False,
        encryption_version=None,
        key_id=None,
    )
    view = _build(fields, message_id=message_id, seq=seq, inserted_at=now())
    return {
        **view,
        "device_id": None,
        "inserted_at": inserted_at,
        "error_code": EncryptionErrorCode.DECRYPTION_FAILURE.value,
    }


def sent_view(entry: Entry, stored: Stored, body: str, vault: Vault) -> MessageView:
    """Build the JSON of a message that was just committed, from the plain body that is still in memory.

    The result equals that of `message_view` for the stored message, also if an attachment cannot be decrypted.
    """
    view = _build(entry, message_id=stored.id, seq=stored.seq, inserted_at=stored.inserted_at)
    view["body"] = body
    try:
        if stored.attachments:
            view["attachments"] = attachment_views(stored.attachments, vault)
    except UnsealError:
        view["error_code"] = EncryptionErrorCode.DECRYPTION_FAILURE.value
    return view


class _Fields(EnvelopeSource, Protocol):
    """The columns that a stored message and an entry of the journal have in common."""

    @property
    def conversation_id(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def device_id(self) -> str | None: ...
    @property
    def message_type(self) -> str: ...
    @property
    def client_id(self) -> str | None: ...
    @property
    def reply_to_id(self) -> str | None: ...


def _build(
    fields: _Fields,
    *,
    message_id: str,
    seq: int,
    inserted_at: datetime,
    edited_at: datetime | None = None,
    deleted_at: datetime | None = None,
    deleted_by: str | None = None,
    reactions: Sequence[ReactionView] = (),
    change: int = 0,
) -> MessageView:
    """Build the JSON of a message without its body and attachments: the only place that lists its fields."""
    return {
        "message_id": message_id,
        "conversation_id": fields.conversation_id,
        "seq": seq,
        "user_id": fields.user_id,
        "device_id": fields.device_id,
        "message_type": fields.message_type,
        "body": None,
        "client_id": fields.client_id,
        "reply_to": fields.reply_to_id,
        "inserted_at": rfc3339(inserted_at),
        "edited_at": _optional_rfc3339(edited_at),
        "deleted_at": _optional_rfc3339(deleted_at),
        "deleted_by": deleted_by,
        **envelope_fields(fields),  # type: ignore[typeddict-item]  # an envelope has no error_code
        "reactions": list(reactions),
        "change": change,
        "attachments": [],
    }


def body_of(message: Message | MessageRow, vault: Vault) -> str | None:
    """Return the current body of a message; None if it was deleted.

    Raises:
        UnsealError: the stored body is damaged or its vault key is missing.
    """
    if message.body is None or message.deleted_at is not None:
        return None
    bound_to = body_aad(message.id, message.edits)
    return open_text(BODY_PURPOSE, message.body, bound_to, vault, encrypted=message.encryption_flag)


def _optional_rfc3339(timestamp: datetime | None) -> str | None:
    return None if timestamp is None else rfc3339(timestamp)
