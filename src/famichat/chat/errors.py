"""What can be wrong with what somebody asks of a conversation: each error has a stable `code`."""

from famichat.errors import FamichatError


class ChatError(FamichatError):
    """Base class of this package's errors."""


# About messages


class InvalidMessage(ChatError):
    """The message, or a part of it, is not of the form that it must have; `details` says which part."""

    code = "invalid_message"


class MessageTooLarge(ChatError):
    """The body is larger than 64 KiB of UTF-8."""

    code = "message_too_large"


class Conflict(ChatError):
    """The client id was used for another message already; nothing changed."""

    code = "conflict"


class NotSender(ChatError):
    """Only whoever sent a message can do this to it; in a group, an admin can delete it, too."""

    code = "not_sender"


class MessageDeleted(ChatError):
    """The message was deleted: nothing of it is there to be changed, or to be reacted to."""

    code = "message_deleted"


class TooLate(ChatError):
    """A message can be edited for a day, and no longer."""

    code = "too_late"


class EncryptionRequired(ChatError):
    """This conversation takes ciphertext only."""

    code = "encryption_required"


class InvalidEncryptionMetadata(ChatError):
    """The metadata of the encryption is missing, malformed, or not allowed in this conversation."""

    code = "invalid_encryption_metadata"


# About who belongs where


class NotFound(ChatError):
    """There is nothing here that this person can see: missing, forbidden and malformed are one answer."""

    code = "not_found"


class NotAdmin(ChatError):
    """Only an admin can do this."""

    code = "not_admin"


class LastAdmin(ChatError):
    """Somebody must stay admin; make another one first."""

    code = "last_admin"


class InvalidName(ChatError):
    """A name has 1 to 100 characters, and none that is a control."""

    code = "invalid_name"


class NotParticipant(ChatError):
    """The person whom this is about does not take part in the conversation."""

    code = "not_participant"


class NotGroupConversation(ChatError):
    """Conversations of this type do not change so."""

    code = "not_group_conversation"


class InvalidMembers(ChatError):
    """So many people, or these, cannot make up a conversation of this type."""

    code = "invalid_members"
