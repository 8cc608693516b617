"""The payload types of the events that the server pushes and of its replies, by topic.

OpenAPI publishes this table as `x-websocket-events` (`endpoint/http/openapi.py`). `docs/protocol.md` explains it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from famichat.actions.events.payloads import (
    ConversationChanged,
    ConversationLeft,
    DeviceRevoked,
    EpochChanged,
    ErrorReply,
    FamilyUpdated,
    Head,
    Heads,
    KeyPackagesLow,
    KeyRequested,
    KeyShared,
    LastMessage,
    MarksChanged,
    PersonUpdated,
    PresenceDiff,
    PresenceState,
    ResetAgreementUpdated,
    ResetLinkCreated,
    Typing,
    UnreadCount,
    UserJoinReply,
    WelcomeWaiting,
)
from famichat.chat.conversations.schema import JoinReply
from famichat.chat.messages.schema import (
    ChangePage,
    MessagePage,
    MessageStatus,
    MessageStatuses,
    MessageView,
    SendReply,
)
from famichat.push.notification import NotificationPayload


@dataclass(frozen=True, slots=True)
class TopicEvents:
    """The payload types of one kind of topic.

    Attributes:
        events: maps each event that the server pushes to its payload type.
        replies: maps an event of the client to the payload type of its reply. Other events get `{}` or no reply.
    """

    events: Mapping[str, Any]
    replies: Mapping[str, Any]


TOPICS: Final[Mapping[str, TopicEvents]] = {
    "message:{type}:{conversation_id}": TopicEvents(
        events={
            "new_msg": MessageView,
            "message_updated": MessageView,
            "message_status": MessageStatus,
            "message_statuses": MessageStatuses,
            "typing": Typing,
            "presence_state": PresenceState,
            "presence_diff": PresenceDiff,
            "head": Head,
            "epoch_changed": EpochChanged,
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
            "last_message": LastMessage,
            "heads": Heads,
            "notification": NotificationPayload,
            "person_updated": PersonUpdated,
            "family_updated": FamilyUpdated,
            "marks_changed": MarksChanged,
            "device_revoked": DeviceRevoked,
            "welcome": WelcomeWaiting,
            "key_packages_low": KeyPackagesLow,
            "key_share": KeyShared,
            "key_request": KeyRequested,
            "reset_link_created": ResetLinkCreated,
            "reset_agreement_updated": ResetAgreementUpdated,
        },
        replies={"phx_join": UserJoinReply},
    ),
}

ERROR_REPLY: Final = ErrorReply
"""The response of every reply with status `error`."""
