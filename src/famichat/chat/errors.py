"""The errors of families, conversations and messages, each with a stable `code`."""

from famichat.errors import FamichatError


class ChatError(FamichatError):
    """Base class of the errors of this package."""


# About messages


class InvalidMessage(ChatError):
    """A field of the payload is missing or malformed; `details["field"]` names it."""

    code = "invalid_message"


class MessageTooLarge(ChatError):
    """The body exceeds 64 KiB of UTF-8."""

    code = "message_too_large"


class Conflict(ChatError):
    """The client id was already used for a different message; nothing was stored."""

    code = "conflict"


class NotSender(ChatError):
    """Only the sender may change the message; in a group, an admin may delete it, too."""

    code = "not_sender"


class MessageDeleted(ChatError):
    """The message was deleted and cannot be edited or reacted to."""

    code = "message_deleted"


class MessageDamaged(ChatError):
    """The stored message is damaged: its checksum does not match. It cannot be read or changed."""

    code = "message_damaged"


class TooLate(ChatError):
    """The message was sent more than 24 hours ago and can no longer be edited."""

    code = "too_late"


class EncryptionRequired(ChatError):
    """The conversation accepts only end-to-end encrypted content."""

    code = "encryption_required"


class InvalidEncryptionMetadata(ChatError):
    """The encryption metadata is incomplete, malformed, or not allowed in this conversation."""

    code = "invalid_encryption_metadata"


class EpochChanged(ChatError):
    """The message or commit is not of the current epoch, or the roster must be reconciled first.

    Its details are the current `generation` and `epoch`, and `needs_commit`: whether a commit must come before the next
    message.
    """

    code = "epoch_changed"


class EncryptionNotReady(ChatError):
    """The conversation cannot have an MLS group yet; `details["waiting_for"]` lists users without usable devices."""

    code = "encryption_not_ready"


class InvalidCommit(ChatError):
    """The commit cannot be accepted; `details["reason"]` says which check failed.

    The reasons: `malformed`, `group`, `sender`, `add`, `remove`, `group_info`, `welcome`, `too_many_groups`.
    """

    code = "invalid_commit"


class CommitsExpired(ChatError):
    """Some of these commits are no longer stored. The device joins by an external commit."""

    code = "commits_expired"


# About membership


class NotFound(ChatError):
    """The object does not exist, the user may not see it, or the id is malformed.

    The three cases are one error, so that a user cannot probe for objects of others.
    """

    code = "not_found"


class NotAdmin(ChatError):
    """The user is not an admin."""

    code = "not_admin"


class LastAdmin(ChatError):
    """The group or family would be left without an admin."""

    code = "last_admin"


class InvalidName(ChatError):
    """The name is not 1 to 100 characters long, or contains control characters."""

    code = "invalid_name"


class NotParticipant(ChatError):
    """The user to be changed is not a member of the conversation."""

    code = "not_participant"


class NotGroupConversation(ChatError):
    """The operation is not available for this type of conversation."""

    code = "not_group_conversation"


class ContactEnded(ChatError):
    """The contact with the other member of a direct conversation has ended.

    One of them has blocked the other, has left, or was deleted; they share no family any longer; or a guardian has
    ended the contact. The cases are one error, so that it does not reveal a block.
    """

    code = "contact_ended"


class TooManyMarks(ChatError):
    """As many messages are pinned, starred or hidden as possible; `details["max"]` says how many."""

    code = "too_many_marks"


class OwnAccount(ChatError):
    """The operation needs another user, and the user named is the caller."""

    code = "own_account"


class NotGuardian(ChatError):
    """The user is a child, and only an adult of the family can do this."""

    code = "not_guardian"


class NeedsOperator(ChatError):
    """Only the operator may reset this user's password.

    The user belongs to another family as well, or is an admin whom no two others can help.
    """

    code = "needs_operator"


class NeedsSecondAdmin(ChatError):
    """A second admin of the family must agree before the user's password is reset."""

    code = "needs_second_admin"


class NewAdmin(ChatError):
    """The user has not been an admin for a week."""

    code = "new_admin"


class NoResetAgreement(ChatError):
    """No admin has asked to reset the user's password, or it has expired or was cancelled."""

    code = "no_reset_agreement"


class NotChild(ChatError):
    """The member is not a child."""

    code = "not_child"


class InvalidMembers(ChatError):
    """The number or the set of members is not allowed for this type of conversation."""

    code = "invalid_members"
