"""The topics of this server: `message:<type>:<conversation id>` and `user:<user id>`."""

from dataclasses import dataclass

from famichat.chat.records.conversation import CONVERSATION_TYPES, ConversationType
from famichat.errors import FamichatError


class InvalidTopic(FamichatError):
    """A topic name that no channel of this server matches."""

    code = "invalid_topic_format"


@dataclass(frozen=True, slots=True)
class ConversationTopic:
    """Where a conversation is heard. The type is part of it: the right id under the wrong type is not found."""

    type: ConversationType
    conversation_id: str

    @classmethod
    def parse(cls, topic: str) -> "ConversationTopic":
        """Take a topic apart; whether such a conversation exists is another question.

        Raises:
            InvalidTopic: it is not of the form, or names a type that does not exist.
        """
        match topic.split(":"):
            case ["message", kind, conversation_id] if kind in CONVERSATION_TYPES and conversation_id:
                return cls(kind, conversation_id)
            case _:
                raise InvalidTopic(topic)

    def __str__(self) -> str:
        return f"message:{self.type}:{self.conversation_id}"


def user_topic(user_id: str) -> str:
    """Where one person's devices hear what concerns that person."""
    return f"user:{user_id}"


def connections_of_user(user_id: str) -> str:
    """The id that all connections of one person carry."""
    return f"user:{user_id}"


def connections_of_device(device_id: str) -> str:
    """The id that all connections of one device carry."""
    return f"device:{device_id}"


def user_ids(user_id: str, device_id: str) -> frozenset[str]:
    """The ids that a person's connection carries, by which it can be told of something, closed or evicted."""
    return frozenset({connections_of_user(user_id), connections_of_device(device_id)})
