"""The JSON types of messages, pages, edits and receipts, the same on every transport.

OpenAPI publishes them (`endpoint/http/openapi.py`) without the suffix `View`, and `web/src/api/types.ts` is generated
from that document. `docs/protocol.md` explains the fields.
"""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic needs this TypedDict on Python 3.11

from famichat.accounts.device import DeviceKind
from famichat.chat.records.attachment import AttachmentView
from famichat.chat.records.envelope_columns import EnvelopeFields

Rfc3339 = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""An RFC 3339 timestamp in UTC with microseconds, as `storage.base.rfc3339` formats it."""

DecryptionFailure = Annotated[
    Literal[603], Field(description="Present only if the stored content cannot be decrypted.")
]
"""`EncryptionErrorCode.DECRYPTION_FAILURE` beside a content field that is null."""


class ReactionView(EnvelopeFields):
    """A user's reaction to a message: one emoji."""

    user_id: str
    emoji: Annotated[str | None, Field(description="Ciphertext if `encryption_flag` is set; null if unreadable.")]
    error_code: NotRequired[DecryptionFailure]


class MessageView(EnvelopeFields):
    """A message, at its position (`seq`) in its conversation."""

    message_id: str
    conversation_id: str
    seq: int
    user_id: str
    device_id: str | None
    message_type: str
    body: Annotated[
        str | None, Field(description="Ciphertext if `encryption_flag` is set; null if deleted or unreadable.")
    ]
    client_id: str | None
    reply_to: str | None
    inserted_at: Rfc3339
    edited_at: Rfc3339 | None
    deleted_at: Rfc3339 | None
    deleted_by: Annotated[str | None, Field(description="The user who deleted it: the sender or a group admin.")]
    reactions: list[ReactionView]
    change: Annotated[int, Field(description="The position of its last change in the conversation; 0 if unchanged.")]
    attachments: list[AttachmentView]
    error_code: NotRequired[DecryptionFailure]


class MessagePage(TypedDict):
    """Consecutive messages, oldest first. `has_more`: more exist in the requested direction."""

    messages: list[MessageView]
    has_more: bool


class ChangePage(TypedDict):
    """Changed messages in their current state, in the order of their last change.

    `has_more`: more messages changed after the last of these. `last_change`: the position of the conversation's newest
    change.
    """

    changes: list[MessageView]
    has_more: bool
    last_change: int


class EditView(EnvelopeFields):
    """A former version of a message's body."""

    version: int
    body: str | None
    written_at: Rfc3339
    error_code: NotRequired[DecryptionFailure]


class EditPage(TypedDict):
    """Former versions of a message, oldest first. `has_more`: older versions exist."""

    edits: list[EditView]
    has_more: bool


class SendReply(TypedDict):
    """The reply to `new_msg`: the message is committed."""

    message_id: str
    seq: int
    inserted_at: Rfc3339


class ReceiptView(TypedDict):
    """How far one device has received a conversation and its user has read it."""

    user_id: str
    device_id: str
    device_kind: Annotated[DeviceKind | None, Field(description="Null if the device has not reported its kind.")]
    delivered_seq: int
    read_seq: int


class DeviceStatus(TypedDict):
    """One device received, or its user read, every message up to `seq`."""

    user_id: str
    device_id: str
    device_kind: DeviceKind | None
    status: Literal["delivered", "read"]
    seq: int


class MessageStatus(DeviceStatus):
    """The newest status of one device in a conversation."""

    conversation_id: str


class MessageStatuses(TypedDict):
    """The newest statuses of the devices that advanced in a conversation since the last such event."""

    conversation_id: str
    statuses: list[DeviceStatus]


class PinView(TypedDict):
    """A pinned message."""

    message_id: str
    seq: int
    user_id: str


class MarksView(TypedDict):
    """The marked messages of a conversation, as one of its members sees them.

    `pinned`: for all members, the message that was pinned last first. `starred` and `hidden`: the positions (`seq`) of
    messages that only this user has marked, the newest first.
    """

    pinned: list[PinView]
    starred: list[int]
    hidden: list[int]
