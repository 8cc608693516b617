"""The topics of this server: `message:<type>:<conversation id>` and `user:<user id>`."""

from dataclasses import dataclass

from famichat.chat.records.conversation import CONVERSATION_TYPES, ConversationType
from famichat.errors import FamichatError


class InvalidTopic(FamichatError):
    """A topic name that no channel of this server matches."""

    code = "invalid_topic_format"


@dataclass(frozen=True, slots=True)
class ConversationTopic:
    """The topic of a conversation. It includes the type: with the wrong type, the conversation is not found."""

    type: ConversationType
    conversation_id: str

    @classmethod
    def parse(cls, topic: str) -> "ConversationTopic":
        """Parse a topic, without checking that the conversation exists.

        Raises:
            InvalidTopic: the topic has another form, or its type does not exist.
        """
        match topic.split(":"):
            case ["message", kind, conversation_id] if kind in CONVERSATION_TYPES and conversation_id:
                return cls(kind, conversation_id)
            case _:
                raise InvalidTopic(topic)

    def __str__(self) -> str:
        return f"message:{self.type}:{self.conversation_id}"


def user_topic(user_id: str) -> str:
    """Return the topic on which a user's devices receive events about that user."""
    return f"user:{user_id}"


def connections_of_user(user_id: str) -> str:
    """Return the id that all connections of a user carry."""
    return f"user:{user_id}"


def connections_of_device(device_id: str) -> str:
    """Return the id that all connections of a device carry."""
    return f"device:{device_id}"


def user_ids(user_id: str, device_id: str) -> frozenset[str]:
    """Return the ids that a connection carries, by which it can be addressed, closed or evicted."""
    return frozenset({connections_of_user(user_id), connections_of_device(device_id)})
