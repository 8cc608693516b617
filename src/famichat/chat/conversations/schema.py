"""The JSON types of conversations, the same on every transport. See `chat/messages/schema.py` for those of messages."""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic needs this TypedDict on Python 3.11

from famichat.chat.contact import Contact
from famichat.chat.encryption_policy import Policy
from famichat.chat.messages.schema import MessageView, ReceiptView, Rfc3339
from famichat.chat.mls.state import MlsView
from famichat.chat.records.conversation import ConversationType, History, Role
from famichat.telemetry.events import EncryptionStatus


class ParticipantView(TypedDict):
    """A user in a conversation. The role is the one in the group or, in a family conversation, in the family."""

    user_id: str
    role: Role


class ConversationView(TypedDict):
    """A conversation as one of its members sees it in a list."""

    id: str
    type: ConversationType
    family_id: str | None
    name: str | None
    created_at: Rfc3339
    epoch: Annotated[str, Field(description="The history that `last_seq` and `last_change` count in.")]
    last_seq: int
    last_change: Annotated[int, Field(description="The number of edits, deletions and reactions.")]
    history: Annotated[
        History | None, Field(description="What new members of a group see: messages since they joined, or all.")
    ]
    members: list[ParticipantView]
    encryption_policy: Policy
    encryption_status: EncryptionStatus
    mls: Annotated[MlsView | None, Field(description="The MLS group, if the conversation has one.")]
    last_message: MessageView | None
    unread: int
    hidden: bool
    hidden_by_users: Annotated[
        list[str],
        Field(description="The members who hid it until the next message: all for a group's admins, else the reader."),
    ]
    archived: bool
    pinned: Annotated[bool, Field(description="Whether the reader keeps it at the top of the list.")]
    marked_unread: Annotated[
        bool, Field(description="Whether the reader marked it as unread. Opening it removes this.")
    ]
    muted_until: Annotated[Rfc3339 | None, Field(description="The year 9999 means indefinitely.")]
    contact: Annotated[
        Contact | None,
        Field(description="Whether a direct conversation accepts messages: null for other types."),
    ]


class ConversationList(TypedDict):
    """Conversations, the one with the latest activity first."""

    conversations: list[ConversationView]
    next_cursor: NotRequired[
        Annotated[
            str | None,
            Field(description="The `cursor` of the next page, null on the last. Only present if `limit` was given."),
        ]
    ]


class JoinReply(TypedDict):
    """The reply to a join of a conversation: what the client missed, or the newest page."""

    conversation: ConversationView
    epoch: str
    last_seq: int
    recovered: Annotated[
        bool, Field(description="False if the client's position belongs to another history: it must start over.")
    ]
    encryption_status: EncryptionStatus
    messages: list[MessageView]
    has_more: bool
    last_change: int
    changes: Annotated[list[MessageView], Field(description="Messages of the client that changed, as they are now.")]
    has_more_changes: bool
    receipts: list[ReceiptView]
