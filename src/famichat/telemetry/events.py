"""Every event that Famichat emits: frozen values whose fields are an allow-list.

Only declared fields reach logs and metrics, so message bodies, tokens, e-mail addresses and keys cannot leak. Times are
in seconds, sizes in bytes. `docs/telemetry.md` lists the same names; a test compares the two.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

EncryptionStatus = Literal["enabled", "disabled"]
Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base class of the events. Named in the past tense; contains no secrets."""

    name: ClassVar[str]
    level: ClassVar[Level] = "info"


# Conversation channels


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChannelJoined(Event):
    """A device joined a conversation. Of the encryption, only the status is included."""

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
    """A join was refused. Contains nothing about encryption, and not the topic, which may be arbitrary text."""

    name: ClassVar[str] = "famichat.message_channel.join"
    level: ClassVar[Level] = "warning"
    status: Literal["error"] = "error"
    reason: str
    user_id: str
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBroadcast(Event):
    """An event was broadcast to a conversation.

    `payload_bytes` is the size of the encoded frame, 0 without a subscriber on this node. `since_receipt_seconds`
    starts when the cause of the event arrived.
    """

    name: ClassVar[str] = "famichat.message_channel.broadcast"
    level: ClassVar[Level] = "debug"
    conversation_type: str
    conversation_id: str
    broadcast_event: str
    payload_bytes: int
    since_receipt_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastOverBudget(Event):
    """A message took more than 200 ms from its arrival to its broadcast. A warning; the message is delivered."""

    name: ClassVar[str] = "famichat.message_channel.over_budget"
    level: ClassVar[Level] = "warning"
    conversation_type: str
    since_receipt_seconds: float
    budget_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAcknowledged(Event):
    """A device's delivery or read receipt was stored."""

    name: ClassVar[str] = "famichat.message_channel.ack"
    level: ClassVar[Level] = "debug"
    conversation_id: str
    user_id: str
    device_id: str
    status: Literal["delivered", "read"]
    seq: int
    moved: bool
    duration_seconds: float


# Messages


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent(Event):
    """A message was stored, or had been stored before (`repeat`)."""

    name: ClassVar[str] = "famichat.message.sent"
    level: ClassVar[Level] = "debug"
    conversation_type: str
    body_bytes: int
    store_seconds: float
    repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited(Event):
    """A user edited one of their messages, and the new version was stored."""

    name: ClassVar[str] = "famichat.message.edited"
    conversation_type: str
    conversation_id: str
    user_id: str
    body_bytes: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted(Event):
    """A user deleted a message: their own (`own`), or, as a group admin, another member's."""

    name: ClassVar[str] = "famichat.message.deleted"
    conversation_type: str
    conversation_id: str
    user_id: str
    own: bool
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReacted(Event):
    """A user reacted to a message, or removed a reaction (`taken_back`). The reaction itself is not included."""

    name: ClassVar[str] = "famichat.message.reacted"
    conversation_type: str
    conversation_id: str
    user_id: str
    taken_back: bool
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSerialized(Event):
    """A message was encoded for storage or transport."""

    name: ClassVar[str] = "famichat.message.serialized"
    level: ClassVar[Level] = "debug"
    encryption_status: EncryptionStatus
    body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeserialized(Event):
    """A payload was parsed as a message."""

    name: ClassVar[str] = "famichat.message.deserialized"
    level: ClassVar[Level] = "debug"
    encryption_status: EncryptionStatus
    body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecryptionFailed(Event):
    """Decryption failed on the server, or on a device of `user_id`. `purpose` is the kind of data."""

    name: ClassVar[str] = "famichat.message.decryption_failed"
    level: ClassVar[Level] = "error"
    error_code: Literal[603] = 603
    error_type: Literal["decryption_failure"] = "decryption_failure"
    purpose: str
    cause: str = "malformed"
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKeyUsed(Event):
    """New data is encrypted with another vault key from now on."""

    name: ClassVar[str] = "famichat.vault.key_used"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultResealed(Event):
    """All data was re-encrypted with the newest vault key, except `unopened` values that cannot be decrypted."""

    name: ClassVar[str] = "famichat.vault.resealed"
    version: int
    unopened: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKeyMissing(Event):
    """Other servers encrypt with a vault key that this server lacks, so it cannot decrypt their data."""

    name: ClassVar[str] = "famichat.vault.key_missing"
    level: ClassVar[Level] = "error"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultNotKept(Event):
    """The check for new vault keys failed. It is repeated."""

    name: ClassVar[str] = "famichat.vault.not_kept"
    level: ClassVar[Level] = "error"
    error_type: str


# Conversations and groups


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationCreated(Event):
    """A conversation was created (`made`), or requested when it already existed."""

    name: ClassVar[str] = "famichat.conversation.created"
    conversation_type: str
    conversation_id: str
    made: bool


# End-to-end encryption. No event contains a key, fingerprint, epoch or generation.


@dataclass(frozen=True, slots=True, kw_only=True)
class MlsGroupCreated(Event):
    """The first or next MLS group of a conversation was created."""

    name: ClassVar[str] = "famichat.mls.group_created"
    conversation_type: str
    conversation_id: str
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitAccepted(Event):
    """A commit was accepted. `external` says that its sender added itself."""

    name: ClassVar[str] = "famichat.mls.commit_accepted"
    conversation_type: str
    conversation_id: str
    adds: int
    removes: int
    external: bool
    commit_bytes: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRejected(Event):
    """A commit was rejected. `reason` is one of a fixed list, or the code of another error."""

    name: ClassVar[str] = "famichat.mls.commit_rejected"
    level: ClassVar[Level] = "warning"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeysPublished(Event):
    """A device published new keys or a new certificate."""

    name: ClassVar[str] = "famichat.device_keys.published"
    user_id: str
    device_id: str
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPackagesRunLow(Event):
    """A device has few key packages left that can be given out."""

    name: ClassVar[str] = "famichat.key_packages.low"
    user_id: str
    device_id: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShareSent(Event):
    """A device sent keys to another one. `own` says that both belong to one user."""

    name: ClassVar[str] = "famichat.key_share.sent"
    own: bool
    ciphertext_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationHidden(Event):
    """A user hid a conversation until its next message."""

    name: ClassVar[str] = "famichat.conversation.hidden"
    conversation_id: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemberAdded(Event):
    """A group admin added a family member to the group."""

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
    """A group admin, or the operator (`changed_by_id` is None), changed a member's role."""

    name: ClassVar[str] = "famichat.group.role_changed"
    conversation_id: str
    user_id: str
    role: str
    changed_by_id: str | None


# Users, devices and families


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """A user signed in on a new device: with a password, a passkey or an invite, or by setting up the server."""

    name: ClassVar[str] = "famichat.session.started"
    user_id: str
    device_id: str


RevocationCause = Literal[
    "signed_out",
    "revoked",
    "revoked_by_admin",
    "revoked_by_operator",
    "refresh_token_reused",
    "password_changed",
    "password_reset",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRevoked(Event):
    """A device was signed out permanently, and its connections were closed."""

    name: ClassVar[str] = "famichat.device.revoked"
    user_id: str
    device_id: str
    cause: RevocationCause


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
    """A user joined a family."""

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
    """A user changed their profile. Names the changed fields, not their values."""

    name: ClassVar[str] = "famichat.profile.changed"
    user_id: str
    display_name_changed: bool
    color_changed: bool
    picture_changed: bool


# Push notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class PushesDue(Event):
    """Devices did not acknowledge messages in the foreground in time, and are now notified."""

    name: ClassVar[str] = "famichat.push.due"
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReplaced(Event):
    """A tab in the background has shown a notification, so that none is pushed to its device."""

    name: ClassVar[str] = "famichat.push.replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSent(Event):
    """A push service accepted a notification for a device."""

    name: ClassVar[str] = "famichat.push.sent"
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFailed(Event):
    """A push service did not accept a notification. `status` is its HTTP status, or None if it did not respond."""

    name: ClassVar[str] = "famichat.push.failed"
    level: ClassVar[Level] = "warning"
    reason: str
    status: int | None
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDropped(Event):
    """The queue of notifications was full, and the oldest was dropped. Its message is stored."""

    name: ClassVar[str] = "famichat.push.dropped"
    level: ClassVar[Level] = "warning"


# Refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Event):
    """A request failed with an error. `door` is the entry point, `reason` the error code."""

    name: ClassVar[str] = "famichat.request.refused"
    level: ClassVar[Level] = "debug"
    door: Literal["http", "socket", "channel"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationDenied(Event):
    """A client requested a resource it may not access. `door` is the route or channel, `reason` the error code."""

    name: ClassVar[str] = "famichat.authorization.denied"
    level: ClassVar[Level] = "warning"
    door: str
    reason: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitThrottled(Event):
    """A device or address exceeded a rate limit."""

    name: ClassVar[str] = "famichat.rate_limit.throttled"
    level: ClassVar[Level] = "warning"
    limit: str
    retry_in_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedHeaderIgnored(Event):
    """A peer that is no trusted proxy sent `X-Forwarded-For`; a missing one must be in FAMICHAT_TRUSTED_PROXIES."""

    name: ClassVar[str] = "famichat.forwarded_header.ignored"
    level: ClassVar[Level] = "warning"
    peer: str


# Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalBatchWritten(Event):
    """The journal committed one batch of messages."""

    name: ClassVar[str] = "famichat.journal.batch_written"
    level: ClassVar[Level] = "debug"
    messages: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFailed(Event):
    """The database or the disk failed, and nothing was acknowledged. `error_type` is the exception's class."""

    name: ClassVar[str] = "famichat.storage.failed"
    level: ClassVar[Level] = "error"
    operation: str
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDamaged(Event):
    """A stored message is damaged: its checksum does not match, or it cannot be read. It is not delivered."""

    name: ClassVar[str] = "famichat.message.damaged"
    level: ClassVar[Level] = "error"
    conversation_id: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDamaged(Event):
    """A row that decides access, or holds a name, is damaged. It gives no access, and the name is not shown.

    Run `famichat doctor` for details, check the disk and restore a backup.
    """

    name: ClassVar[str] = "famichat.row.damaged"
    level: ClassVar[Level] = "error"
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseDamaged(Event):
    """The daily check found damage in the database. `first` names its place, never the content.

    Run `famichat doctor` for details, check the disk and restore a backup.
    """

    name: ClassVar[str] = "famichat.database.damaged"
    level: ClassVar[Level] = "error"
    places: int
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupMade(Event):
    """A scheduled backup is complete and on the disk."""

    name: ClassVar[str] = "famichat.backup.made"
    level: ClassVar[Level] = "info"
    bytes: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupVerified(Event):
    """A scheduled backup was restored into a scratch place. It is as it was, and so many values and files decrypt."""

    name: ClassVar[str] = "famichat.backup.verified"
    level: ClassVar[Level] = "info"
    values: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFailed(Event):
    """A scheduled backup failed. `step` is `make` or `verify`; `error_type` is the exception's class.

    Run `famichat backup`, or `famichat backup verify FILE`: they say what to do.
    """

    name: ClassVar[str] = "famichat.backup.failed"
    level: ClassVar[Level] = "error"
    step: str
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRetried(Event):
    """A serializable transaction conflicted with another one and was retried."""

    name: ClassVar[str] = "famichat.storage.transaction_retried"
    level: ClassVar[Level] = "debug"
    attempt: int


# Connections


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOpened(Event):
    """A client connected. `transport` is "websocket" or "longpoll", `vsn` the serializer version."""

    name: ClassVar[str] = "famichat.realtime.connection_opened"
    level: ClassVar[Level] = "debug"
    transport: str
    vsn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed(Event):
    """A connection ended. `code` is the server's close code, or None if the client disconnected."""

    name: ClassVar[str] = "famichat.realtime.connection_closed"
    level: ClassVar[Level] = "debug"
    transport: str
    code: int | None
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRefused(Event):
    """A connection attempt was refused. `reason` names the failed check, never the offered value."""

    name: ClassVar[str] = "famichat.realtime.connection_refused"
    level: ClassVar[Level] = "warning"
    transport: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowConsumerClosed(Event):
    """A client read too slowly and was disconnected because its queue was full."""

    name: ClassVar[str] = "famichat.realtime.slow_consumer_closed"
    level: ClassVar[Level] = "warning"
    queued_frames: int
    queued_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCrashed(Event):
    """A channel raised an unexpected error, and only this channel ended. `where` is a file and a line."""

    name: ClassVar[str] = "famichat.realtime.channel_crashed"
    level: ClassVar[Level] = "error"
    stage: str
    error_type: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedFrameReceived(Event):
    """A client sent a malformed frame, and its connection was closed."""

    name: ClassVar[str] = "famichat.realtime.malformed_frame"
    level: ClassVar[Level] = "warning"
    reason: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryFrameDropped(Event):
    """A binary frame was dropped because the client's serializer version or transport is text only."""

    name: ClassVar[str] = "famichat.realtime.binary_dropped"
    level: ClassVar[Level] = "warning"
    transport: str
    vsn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUnreachable(Event):
    """The broker is unreachable: no messages to or from other nodes. Clients of this node are not affected."""

    name: ClassVar[str] = "famichat.realtime.broker_unreachable"
    level: ClassVar[Level] = "error"
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerNoteIgnored(Event):
    """A broker message was dropped, because this node cannot read it: it is malformed, unknown or invalid."""

    name: ClassVar[str] = "famichat.realtime.broker_note_ignored"
    level: ClassVar[Level] = "warning"
    reason: str
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPollWithoutAffinity(Event):
    """A long poll arrived at a node that does not have its session, and cannot reach the one that has it."""

    name: ClassVar[str] = "famichat.realtime.longpoll_without_affinity"
    level: ClassVar[Level] = "warning"


# Attachments


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFinished(Event):
    """An upload completed and can be sent. Its name and conversation are not included."""

    name: ClassVar[str] = "famichat.attachment.uploaded"
    content_type: str
    size_bytes: int
    encrypted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRefused(Event):
    """A completed upload was rejected. `reason` is an error code."""

    name: ClassVar[str] = "famichat.attachment.refused"
    level: ClassVar[Level] = "warning"
    reason: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentsSwept(Event):
    """Expired uploads that were never sent (`unsent`), and files without an attachment (`strays`), were deleted."""

    name: ClassVar[str] = "famichat.attachment.swept"
    unsent: int
    strays: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentDamaged(Event):
    """A stored file, or its row, is damaged: it cannot be decrypted, and nothing of the damaged part is served."""

    name: ClassVar[str] = "famichat.attachment.damaged"
    level: ClassVar[Level] = "error"
    attachment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureWorkerNotConfined(Event):
    """The process that decodes pictures could not give up files and network. Reported once per start of the server."""

    name: ClassVar[str] = "famichat.attachment.worker_not_confined"
    level: ClassVar[Level] = "warning"


# The operator's commands


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorMethodCalled(Event):
    """The operator's command ran a method over the admin socket. `outcome` is `ok` or an error code."""

    name: ClassVar[str] = "famichat.operator.method"
    method: str
    uid: int
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorConnectionRefused(Event):
    """A process of another user connected to the admin socket, or too many processes did."""

    name: ClassVar[str] = "famichat.operator.refused"
    level: ClassVar[Level] = "warning"
    uid: int


# The process and telemetry itself


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedAsRoot(Event):
    """The server runs as root, so a vulnerability would expose the whole machine. Run it as a separate user."""

    name: ClassVar[str] = "famichat.process.started_as_root"
    level: ClassVar[Level] = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnded(Event):
    """A worker of `serve --workers` ended by itself. It is started again after the given time."""

    name: ClassVar[str] = "famichat.process.worker_ended"
    level: ClassVar[Level] = "error"
    worker: int
    exit_code: int
    retry_in_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFailed(Event):
    """An e-mail was not sent, and will not be: the SMTP server refused it or did not answer, or too many waited."""

    name: ClassVar[str] = "famichat.mail.failed"
    level: ClassVar[Level] = "error"
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundTaskCrashed(Event):
    """A background task raised an unexpected error: a bug.

    `where` is a file and a line. The task restarts after `restart_seconds`; 0 means that it continued.
    """

    name: ClassVar[str] = "famichat.process.task_crashed"
    level: ClassVar[Level] = "error"
    task: str
    error_type: str
    where: str
    restart_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceExportFailed(Event):
    """The trace collector did not accept a batch of spans, which are lost."""

    name: ClassVar[str] = "famichat.telemetry.export_failed"
    level: ClassVar[Level] = "warning"
    spans: int
