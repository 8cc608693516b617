"""JSON schemas of messages and conversations for OpenAPI; `famichat.chat.messages.view` builds the values.

A field that is missing here would be dropped from the answers: a test compares these with the views.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from famichat.chat.encryption_policy import Policy
from famichat.chat.records.conversation import ConversationType, History, Role
from famichat.telemetry.events import EncryptionStatus

_Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Enveloped(BaseModel):
    """How something says it is encrypted."""

    encryption_flag: bool
    encryption_version: str | None
    key_id: str | None
    protocol: str | None
    epoch: int | None = Field(description="Of the keys, as the sender's protocol counts; not the history's name.")
    sender_device_id: str | None


class Reaction(Enveloped):
    """What one person answers to a message with a single sign."""

    user_id: str
    emoji: str | None = Field(description="Ciphertext when `encryption_flag` is set; null when unreadable.")
    error_code: Literal[603] | None = Field(None, description="There only when it does not open any more.")


class MessageAttachment(BaseModel):
    """A photo, a file or a voice note. Where its bytes are: `GET /attachments/{id}/address`."""

    id: str
    name: str | None
    size: int
    content_type: str = Field(description="What it is, not what somebody said that it is.")
    encrypted: bool
    width: int | None
    height: int | None
    thumbnail: bool
    duration_ms: int | None
    waveform: list[int] | None


class Message(BaseModel):
    """A message, at its place (`seq`) in its conversation."""

    message_id: str
    conversation_id: str
    seq: int
    user_id: str
    device_id: str | None
    message_type: str
    body: str | None = Field(description="Ciphertext when `encryption_flag` is set; null when deleted or unreadable.")
    client_id: str | None
    reply_to: str | None
    inserted_at: _Moment
    edited_at: _Moment | None
    deleted_at: _Moment | None
    deleted_by: str | None = Field(description="Who deleted it: its sender, or an admin of the group.")
    encryption_flag: bool
    encryption_version: str | None
    key_id: str | None
    protocol: str | None
    epoch: int | None = Field(description="Of the keys, as the sender's protocol counts; not the history's name.")
    sender_device_id: str | None
    reactions: list[Reaction]
    change: int = Field(description="The position of its last change in the conversation; 0 when it never changed.")
    attachments: list[MessageAttachment]
    error_code: Literal[603] | None = Field(None, description="There only when the stored body does not open any more.")


class Page(BaseModel):
    """Messages in a row, oldest first."""

    messages: list[Message]
    has_more: bool


class Changes(BaseModel):
    """Changed messages as they are now, in the order of their last change."""

    changes: list[Message]
    has_more: bool
    last_change: int


class Edit(Enveloped):
    """What a message said before it was edited."""

    version: int
    body: str | None
    written_at: _Moment
    error_code: Literal[603] | None = Field(None, description="There only when it does not open any more.")


class Edits(BaseModel):
    """Former versions of a message, oldest first; `has_more` says that there are older ones."""

    edits: list[Edit]
    has_more: bool


class Member(BaseModel):
    """One person in a conversation; the role is the one in the group, or in the family."""

    user_id: str
    role: Role


class Conversation(BaseModel):
    """A conversation, as the caller sees it from outside."""

    id: str
    type: ConversationType
    family_id: str | None
    name: str | None
    created_at: _Moment
    epoch: str
    last_seq: int
    last_change: int = Field(description="How many edits, deletions and reactions there were.")
    history: History | None = Field(description="Of a group: what newcomers see, from their joining on or all of it.")
    members: list[Member]
    encryption_policy: Policy
    encryption_status: EncryptionStatus
    last_message: Message | None
    unread: int
    hidden: bool
    hidden_by_users: list[str] = Field(description="The members who have hidden it until the next message.")
    archived: bool
    muted_until: _Moment | None = Field(description="The year 9999 means for ever.")


class Conversations(BaseModel):
    """A shelf of conversations, the one in which something happened last first."""

    conversations: list[Conversation]
