"""A message on its way through the journal: what is asked, and what is answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ClientKey = tuple[str, str, str]
Reason = Literal[
    "not_found", "conflict", "invalid_reply", "invalid_attachment", "encryption_required", "encryption_forbidden"
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that asks to be stored. `body` is sealed already, or the sender's own ciphertext.

    `encryption_forbidden` says what the policy for this type is; it does not count where ciphertext was demanded once.
    """

    id: str
    conversation_id: str
    conversation_type: str
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
    encryption_forbidden: bool = False
    attachment_ids: tuple[str, ...] = ()

    @property
    def client_key(self) -> ClientKey | None:
        """What makes a repeat a repeat: the same person, conversation and client id."""
        return None if self.client_id is None else (self.conversation_id, self.user_id, self.client_id)


@dataclass(frozen=True, slots=True)
class Attached:
    """What is shown of an attachment that goes with a message, as the transaction that stored the message read it."""

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
    """Where a message is, and what goes with it. `repeat` says that it was there before; then only where it is."""

    id: str
    seq: int
    inserted_at: datetime
    repeat: bool
    attachments: tuple[Attached, ...] = ()


class JournalRefusal(Exception):
    """This one message may not be stored; its neighbours in the batch are not touched."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
