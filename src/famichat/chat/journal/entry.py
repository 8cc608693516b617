"""The values that pass through the journal: the message to store, and the outcome."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ClientKey = tuple[str, str, str]
Reason = Literal[
    "not_found",
    "conflict",
    "contact_ended",
    "invalid_reply",
    "invalid_attachment",
    "encryption_required",
    "encryption_forbidden",
    "epoch_changed",
    "invalid_client_id",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A message to be stored.

    Attributes:
        conversation_type: the type that the sender expects, refused as `not_found` if it differs; None for any.
        body: sealed already, or the sender's own ciphertext.
        fingerprint: tells a repeat of `client_id` from a conflict; None without a client id.
        required_types: the conversation types whose policy requires ciphertext. A conversation that required it once
            always requires it, whatever its type.
        forbidden_types: the conversation types whose policy forbids ciphertext, except where it is required.
    """

    id: str
    conversation_id: str
    conversation_type: str | None
    user_id: str
    device_id: str
    message_type: str
    body: bytes
    client_id: str | None
    fingerprint: bytes | None
    reply_to_id: str | None
    encryption_flag: bool
    encryption_version: str | None
    key_id: str | None
    protocol: str | None = None
    epoch: int | None = None
    sender_device_id: str | None = None
    required_types: frozenset[str] = frozenset()
    forbidden_types: frozenset[str] = frozenset()
    attachment_ids: tuple[str, ...] = ()

    @property
    def client_key(self) -> ClientKey | None:
        """The idempotency key: conversation, user and client id; None without a client id."""
        return None if self.client_id is None else (self.conversation_id, self.user_id, self.client_id)


@dataclass(frozen=True, slots=True)
class Attached:
    """The public columns of an attachment, read in the transaction that stored its message.

    `size` and `thumbnail_bytes` are in bytes, `width` and `height` in pixels. `sealed` holds `AttachmentSecrets`.
    """

    id: str
    size: int
    content_type: str
    encrypted: bool
    width: int | None
    height: int | None
    thumbnail_bytes: int
    duration_ms: int | None
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """The position of a message that is on disk.

    Attributes:
        repeat: True if the message had been stored earlier, under the same client id.
        conversation_type: the type of its conversation.
        attachments: what the message took in; empty for a repeat.
    """

    id: str
    seq: int
    inserted_at: datetime
    repeat: bool
    conversation_type: str
    attachments: tuple[Attached, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A message that was stored earlier, found by its client id or its id."""

    id: str
    seq: int
    inserted_at: datetime
    fingerprint: bytes | None


class JournalRefusal(Exception):
    """The journal refused one message; the other messages of the batch are not affected.

    Attributes:
        reason: why.
        details: what its sender needs to know in addition.
    """

    def __init__(self, reason: Reason, **details: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details
