"""Every event Famichat emits: a frozen value whose fields *are* the allow-list.

What is not a field here cannot be emitted, so a body, a token, an e-mail address or a key has no way out. Times are
seconds, sizes are bytes. `docs/telemetry.md` lists the same names; a test compares the two.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

EncryptionStatus = Literal["enabled", "disabled"]
Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, in the past tense, with nothing secret in it."""

    name: ClassVar[str]
    level: ClassVar[Level] = "info"


# What happens on a conversation's channel


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChannelJoined(Event):
    """A device joined a conversation. Says whether encryption is on there, and nothing else about it."""

    name: ClassVar[str] = "famichat.message_channel.join"
    status: Literal["ok"] = "ok"
    conversation_type: str
    encryption_status: EncryptionStatus
    user_id: str
    conversation_id: str
    replayed: int
    recovered: bool
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChannelJoinRefused(Event):
    """A join was refused. Carries nothing about encryption, and no topic that somebody made up."""

    name: ClassVar[str] = "famichat.message_channel.join"
    level: ClassVar[Level] = "warning"
    status: Literal["error"] = "error"
    reason: str
    user_id: str
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBroadcast(Event):
    """A conversation was told something. `since_receipt_seconds` runs from the arrival of the cause."""

    name: ClassVar[str] = "famichat.message_channel.broadcast"
    conversation_type: str
    conversation_id: str
    event: str
    payload_bytes: int
    since_receipt_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastOverBudget(Event):
    """A message took more than 200 ms from its arrival to its broadcast: a warning, never a refusal."""

    name: ClassVar[str] = "famichat.message_channel.over_budget"
    level: ClassVar[Level] = "warning"
    conversation_type: str
    since_receipt_seconds: float
    budget_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAcknowledged(Event):
    """A device said how far it has received or read a conversation, and that is on disk."""

    name: ClassVar[str] = "famichat.message_channel.ack"
    conversation_id: str
    user_id: str
    device_id: str
    status: Literal["delivered", "read"]
    seq: int
    moved: bool
    duration_seconds: float


# What happens to messages


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent(Event):
    """A message is on disk, or was there already (`repeat`)."""

    name: ClassVar[str] = "famichat.message.sent"
    conversation_type: str
    body_bytes: int
    store_seconds: float
    repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited(Event):
    """Somebody said an own message in other words, and that is on disk."""

    name: ClassVar[str] = "famichat.message.edited"
    conversation_type: str
    conversation_id: str
    user_id: str
    body_bytes: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted(Event):
    """Somebody took a message away: an own one (`own`), or, as an admin of the group, another's."""

    name: ClassVar[str] = "famichat.message.deleted"
    conversation_type: str
    conversation_id: str
    user_id: str
    own: bool
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReacted(Event):
    """Somebody reacted to a message, or took that back. Never says with what."""

    name: ClassVar[str] = "famichat.message.reacted"
    conversation_type: str
    conversation_id: str
    user_id: str
    taken_back: bool
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSerialized(Event):
    """A message was made ready to be carried or kept."""

    name: ClassVar[str] = "famichat.message.serialized"
    level: ClassVar[Level] = "debug"
    encryption_status: EncryptionStatus
    body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeserialized(Event):
    """A payload was understood as a message."""

    name: ClassVar[str] = "famichat.message.deserialized"
    level: ClassVar[Level] = "debug"
    encryption_status: EncryptionStatus
    body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecryptionFailed(Event):
    """Something did not open: here, or on the device of `user_id`. Says which kind of thing, never what it held."""

    name: ClassVar[str] = "famichat.message.decryption_failed"
    level: ClassVar[Level] = "error"
    error_code: Literal[603] = 603
    error_type: Literal["decryption_failure"] = "decryption_failure"
    purpose: str
    cause: str = "malformed"
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKeyUsed(Event):
    """What is new is sealed with another vault key from now on."""

    name: ClassVar[str] = "famichat.vault.key_used"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultResealed(Event):
    """Nothing is left that an older vault key has sealed, but what does not open any more (`unopened`)."""

    name: ClassVar[str] = "famichat.vault.resealed"
    version: int
    unopened: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKeyMissing(Event):
    """Others seal with a vault key by now that this server does not have: it cannot read what they seal."""

    name: ClassVar[str] = "famichat.vault.key_missing"
    level: ClassVar[Level] = "error"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultNotKept(Event):
    """The vault keys could not be looked after just now; it is tried again."""

    name: ClassVar[str] = "famichat.vault.not_kept"
    level: ClassVar[Level] = "error"
    error_type: str


# What happens to conversations and groups


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationCreated(Event):
    """A conversation was made (`made`), or asked for and there already."""

    name: ClassVar[str] = "famichat.conversation.created"
    conversation_type: str
    conversation_id: str
    made: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationHidden(Event):
    """Somebody has put a conversation away until the next message."""

    name: ClassVar[str] = "famichat.conversation.hidden"
    conversation_id: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemberAdded(Event):
    """An admin of a group let somebody of the family into it."""

    name: ClassVar[str] = "famichat.group.member_added"
    conversation_id: str
    user_id: str
    added_by_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemberRemoved(Event):
    """A member left a group (then both ids are the same), or was removed by an admin or the operator (None)."""

    name: ClassVar[str] = "famichat.group.member_removed"
    conversation_id: str
    user_id: str
    removed_by_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRoleChanged(Event):
    """Somebody became an admin of a group, or a plain member again."""

    name: ClassVar[str] = "famichat.group.role_changed"
    conversation_id: str
    user_id: str
    role: str
    changed_by_id: str


# What happens to people, their devices and their families


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """Somebody signed in on a new device: with a password, by an invitation, or by setting the server up."""

    name: ClassVar[str] = "famichat.session.started"
    user_id: str
    device_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRevoked(Event):
    """A device was signed out for good, and what it had open was closed."""

    name: ClassVar[str] = "famichat.device.revoked"
    user_id: str
    device_id: str
    cause: Literal["signed_out", "revoked", "revoked_by_admin", "refresh_token_reused", "password_reset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDeleted(Event):
    """An account was deleted. Only its id and the messages sent to other people remain."""

    name: ClassVar[str] = "famichat.account.deleted"
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteCreated(Event):
    """A family admin, or the operator (`created_by_id` is None), created an invite."""

    name: ClassVar[str] = "famichat.invite.created"
    family_id: str
    invite_id: str
    role: str
    created_by_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyMemberAdded(Event):
    """Somebody came into a family."""

    name: ClassVar[str] = "famichat.family.member_added"
    family_id: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyMemberRemoved(Event):
    """A member left a family (then both ids are the same), or was removed by an admin or the operator (None)."""

    name: ClassVar[str] = "famichat.family.member_removed"
    family_id: str
    user_id: str
    removed_by_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyRoleChanged(Event):
    """A family admin, or the operator (`changed_by_id` is None), changed a member's role."""

    name: ClassVar[str] = "famichat.family.role_changed"
    family_id: str
    user_id: str
    role: str
    changed_by_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(Event):
    """Somebody is shown otherwise from now on. Says what was changed, and neither the name nor what was chosen."""

    name: ClassVar[str] = "famichat.profile.changed"
    user_id: str
    display_name_changed: bool
    color_changed: bool
    picture_changed: bool


# What rings devices that do not listen


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSent(Event):
    """A push service has taken a notice for a device."""

    name: ClassVar[str] = "famichat.push.sent"
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFailed(Event):
    """A push service has not taken a notice. `reason` is a word of ours, `status` what it answered, if it did."""

    name: ClassVar[str] = "famichat.push.failed"
    level: ClassVar[Level] = "warning"
    reason: str
    status: int | None
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDropped(Event):
    """Too many notices waited, and the oldest was let go; its message is on disk."""

    name: ClassVar[str] = "famichat.push.dropped"
    level: ClassVar[Level] = "warning"


# What is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Event):
    """Somebody got an error instead of what was asked for. `door` is where, `reason` the stable code."""

    name: ClassVar[str] = "famichat.request.refused"
    level: ClassVar[Level] = "debug"
    door: Literal["http", "socket", "channel"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationDenied(Event):
    """Somebody asked for what is not theirs. `door` is where they knocked, `reason` the stable code they got."""

    name: ClassVar[str] = "famichat.authorization.denied"
    level: ClassVar[Level] = "warning"
    door: str
    reason: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitThrottled(Event):
    """A device knocked too often and was told when to come back."""

    name: ClassVar[str] = "famichat.rate_limit.throttled"
    level: ClassVar[Level] = "warning"
    limit: str
    retry_in_seconds: float


# What happens below


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalBatchWritten(Event):
    """The journal committed one batch of messages."""

    name: ClassVar[str] = "famichat.journal.batch_written"
    level: ClassVar[Level] = "debug"
    messages: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFailed(Event):
    """The database refused or did not answer; nothing was acknowledged. `error_type` is the exception's class."""

    name: ClassVar[str] = "famichat.storage.failed"
    level: ClassVar[Level] = "error"
    operation: str
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRetried(Event):
    """A serialisable transaction lost a race and ran again."""

    name: ClassVar[str] = "famichat.storage.transaction_retried"
    level: ClassVar[Level] = "debug"
    attempt: int


# What happens on the wire, of whatever application


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOpened(Event):
    """A client connected. `transport` is "websocket" or "longpoll", `vsn` the dialect it speaks."""

    name: ClassVar[str] = "famichat.realtime.connection_opened"
    level: ClassVar[Level] = "debug"
    transport: str
    vsn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed(Event):
    """A connection is over. `code` is the server's close code, or None where the client left."""

    name: ClassVar[str] = "famichat.realtime.connection_closed"
    level: ClassVar[Level] = "debug"
    transport: str
    code: int | None
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRefused(Event):
    """Somebody was turned away before connecting. `reason` names the check that failed, never what was offered."""

    name: ClassVar[str] = "famichat.realtime.connection_refused"
    level: ClassVar[Level] = "warning"
    transport: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowConsumerClosed(Event):
    """A client stopped reading, and was closed when its queue was full."""

    name: ClassVar[str] = "famichat.realtime.slow_consumer_closed"
    level: ClassVar[Level] = "warning"
    queued_frames: int
    queued_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCrashed(Event):
    """An application's channel raised; only that channel ended. `where` is a file and a line, and quotes no data."""

    name: ClassVar[str] = "famichat.realtime.channel_crashed"
    level: ClassVar[Level] = "error"
    stage: str
    error_type: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedFrameReceived(Event):
    """A client sent something that is no frame; its connection was closed."""

    name: ClassVar[str] = "famichat.realtime.malformed_frame"
    level: ClassVar[Level] = "warning"
    reason: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryFrameDropped(Event):
    """Bytes were meant for a client whose dialect or transport carries text only."""

    name: ClassVar[str] = "famichat.realtime.binary_dropped"
    level: ClassVar[Level] = "warning"
    transport: str
    vsn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUnreachable(Event):
    """The other nodes cannot be told or heard; clients of this node are served as before."""

    name: ClassVar[str] = "famichat.realtime.broker_unreachable"
    level: ClassVar[Level] = "error"
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerNoteIgnored(Event):
    """Another node sent a note that this one cannot read."""

    name: ClassVar[str] = "famichat.realtime.broker_note_ignored"
    level: ClassVar[Level] = "warning"
    error_type: str


# What happens to attachments


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFinished(Event):
    """A file came whole, and can be sent. What it is called and where it goes is not said."""

    name: ClassVar[str] = "famichat.attachment.uploaded"
    content_type: str
    size_bytes: int
    encrypted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRefused(Event):
    """A file came whole, and was not taken: `reason` is a code of the registry."""

    name: ClassVar[str] = "famichat.attachment.refused"
    level: ClassVar[Level] = "warning"
    reason: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentsSwept(Event):
    """Uploads that were never sent, and files that belonged to nothing, were cleared away."""

    name: ClassVar[str] = "famichat.attachment.swept"
    unsent: int
    strays: int


# What happens to the process and to telemetry itself


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedAsRoot(Event):
    """The server runs as root, so whoever breaks into it has the whole machine: give it a user of its own."""

    name: ClassVar[str] = "famichat.process.started_as_root"
    level: ClassVar[Level] = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundTaskCrashed(Event):
    """A background task raised an unexpected error: a bug. It starts again after `restart_seconds`; 0 if it went on.

    `where` is a file and a line, and quotes no data.
    """

    name: ClassVar[str] = "famichat.process.task_crashed"
    level: ClassVar[Level] = "error"
    task: str
    error_type: str
    where: str
    restart_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceExportFailed(Event):
    """The collector of traces did not take a batch of them; they are lost, and nothing else is."""

    name: ClassVar[str] = "famichat.telemetry.export_failed"
    level: ClassVar[Level] = "warning"
    spans: int
