"""The payload type of each event that the server sends, and of each reply, by kind of topic.

OpenAPI publishes this table as `x-websocket-events` (`endpoint/http/openapi.py`). `docs/protocol.md` explains it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from famichat.actions.payloads import (
    ConversationChanged,
    ConversationLeft,
    DeviceRevoked,
    ErrorReply,
    Head,
    PersonUpdated,
    PresenceDiff,
    PresenceState,
    Typing,
    UnreadCount,
    UserJoinReply,
)
from famichat.chat.conversations.schema import JoinReply
from famichat.chat.messages.schema import ChangePage, MessagePage, MessageStatus, MessageView, SendReply


@dataclass(frozen=True, slots=True)
class TopicEvents:
    """The payload types on one kind of topic.

    Attributes:
        events: by event that the server pushes.
        replies: by event that the client pushes; events that are missing here are answered with `{}` or not at all.
    """

    events: Mapping[str, Any]
    replies: Mapping[str, Any]


TOPICS: Final[Mapping[str, TopicEvents]] = {
    "message:{type}:{conversation_id}": TopicEvents(
        events={
            "new_msg": MessageView,
            "message_updated": MessageView,
            "message_status": MessageStatus,
            "typing": Typing,
            "presence_state": PresenceState,
            "presence_diff": PresenceDiff,
            "head": Head,
        },
        replies={
            "phx_join": JoinReply,
            "new_msg": SendReply,
            "fetch": MessagePage,
            "fetch_changes": ChangePage,
        },
    ),
    "user:{user_id}": TopicEvents(
        events={
            "conversation_created": ConversationChanged,
            "conversation_updated": ConversationChanged,
            "conversation_left": ConversationLeft,
            "unread": UnreadCount,
            "person_updated": PersonUpdated,
            "device_revoked": DeviceRevoked,
        },
        replies={"phx_join": UserJoinReply},
    ),
}

ERROR_REPLY: Final = ErrorReply
"""The response of every reply with status `error`."""
