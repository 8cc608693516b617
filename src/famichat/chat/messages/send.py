"""The one way a message is sent: parsed, checked against policy, sealed, queued, stored, and only then announced.

WebSocket, HTTP, terminal and test endpoint all use it. It makes no query besides the journal's own transaction, which
checks that the sender may send there.
"""

import asyncio
import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, cast

from famichat.chat.encryption_policy import EncryptionPolicies, check_sender, envelope_of
from famichat.chat.errors import (
    ChatError,
    Conflict,
    ContactEnded,
    EncryptionRequired,
    EpochChanged,
    InvalidEncryptionMetadata,
    InvalidMessage,
    MessageTooLarge,
    NotFound,
)
from famichat.chat.journal.entry import Entry, JournalRefusal, Reason, Stored
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.content import seal_text, storable
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import sent_view
from famichat.chat.records.attachment import MAX_ATTACHMENTS
from famichat.chat.records.conversation import ConversationType
from famichat.chat.records.message import BODY_PURPOSE, MAX_BODY_BYTES, body_aad
from famichat.e2ee.envelope import Envelope
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import is_id, new_id
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.telemetry import emit, events
from famichat.typed_text import has_visible_text

_MESSAGE_TYPE = re.compile(r"[a-z0-9_.-]{1,32}")
_MAX_CLIENT_ID = 128


@dataclass(frozen=True, slots=True)
class Sender:
    """The sending user and device."""

    user_id: str
    device_id: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A parsed message that is not stored yet."""

    body: str
    message_type: str
    client_id: str | None
    reply_to: str | None
    envelope: Envelope
    attachment_ids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Draft":
        """Parse a `new_msg` payload, or the same fields of an HTTP request. Unknown fields are ignored.

        Raises:
            InvalidMessage: a field is missing or malformed, or the body has no visible character; `details["field"]`
                names the field.
            MessageTooLarge: the body exceeds 64 KiB of UTF-8.
            InvalidEncryptionMetadata: a field of the envelope is missing or malformed.
        """
        envelope = envelope_of(payload)
        attachment_ids = _attachment_ids(payload.get("attachment_ids"))
        draft = cls(
            body=_body(payload.get("body"), may_be_empty=bool(attachment_ids), encrypted=envelope.encryption_flag),
            message_type=_message_type(payload.get("message_type")),
            client_id=_client_id(payload.get("client_id")),
            reply_to=_reply_to(payload.get("reply_to")),
            envelope=envelope,
            attachment_ids=attachment_ids,
        )
        size = len(draft.body.encode())
        if size > MAX_BODY_BYTES:
            raise MessageTooLarge(max_bytes=MAX_BODY_BYTES)
        emit(events.MessageDeserialized(encryption_status=envelope.status, body_bytes=size))
        return draft


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that is on disk.

    Attributes:
        message_id: its id.
        conversation_id: its conversation.
        conversation_type: the type of that conversation.
        seq: its position there.
        inserted_at: when it was stored.
        view: the message as it was announced; None for a repeat, which may have been changed since.
    """

    message_id: str
    conversation_id: str
    conversation_type: ConversationType
    seq: int
    inserted_at: datetime
    view: MessageView | None

    @property
    def repeat(self) -> bool:
        """Whether the message had been sent earlier under the same client id. A repeat is not announced."""
        return self.view is None


Announce = Callable[[SentMessage, MessageView], None]
"""Called in the event loop after the commit, in the order of `seq`, once for each message and never for a repeat."""


@dataclass(slots=True)
class QueuedMessage:
    """A message in the journal's queue. Await it to know that it is on disk.

    Attributes:
        stored: done when the journal has stored or refused the message. `result` and `error` explain the outcome.
    """

    stored: asyncio.Future[Stored] = field(init=False)
    _entry: Entry
    _body: str
    _announce: Announce
    _vault: Vault
    _started: float = field(default_factory=time.perf_counter)
    _sent: SentMessage | None = None

    def on_stored(self, stored: Stored) -> None:
        """Announce the message. Called once after the commit, but not for a repeat."""
        view = sent_view(self._entry, stored, self._body, self._vault)
        self._sent = _sent(self._entry, stored, view)
        self._announce(self._sent, view)

    def result(self) -> SentMessage:
        """Return the message, and report it to telemetry; call this once, when `stored` is done.

        Raises:
            Exception: the `error`.
        """
        error = self.error()
        if error is not None:
            raise error
        sent = self._sent or _sent(self._entry, self.stored.result(), None)
        emit(
            events.MessageSent(
                conversation_type=sent.conversation_type,
                body_bytes=len(self._entry.body),
                store_seconds=time.perf_counter() - self._started,
                repeat=sent.repeat,
            )
        )
        return sent

    def error(self) -> BaseException | None:
        """Return why the message was not stored, or may not have been; None if it was. See `SendPath.send`."""
        if self.stored.cancelled():
            return asyncio.CancelledError()
        failure = self.stored.exception()
        if not isinstance(failure, JournalRefusal):
            return failure
        error = _ERRORS[failure.reason](**failure.details)
        error.__cause__ = failure
        return error

    def __await__(self) -> Generator[Any, None, SentMessage]:
        with suppress(JournalRefusal):
            yield from self.stored
        return self.result()


class SendPath:
    """Sends messages.

    Args:
        journal: stores them.
        vault: seals bodies that are not encrypted end to end.
        index: computes the fingerprints that tell repeats from conflicts.
        policies: which conversation types require or forbid ciphertext.
    """

    def __init__(self, journal: Journal, vault: Vault, index: BlindIndex, policies: EncryptionPolicies) -> None:
        self._journal = journal
        self._vault = vault
        self._index = index
        self._policies = policies
        self._required_types = policies.types_with("required")
        self._forbidden_types = policies.types_with("forbidden")

    def send(
        self,
        sender: Sender,
        conversation_type: ConversationType | None,
        conversation_id: str,
        draft: Draft,
        announce: Announce,
    ) -> QueuedMessage:
        """Queue a message, synchronously; await the result to know that it is on disk.

        Messages are stored in the order of these calls, not of the awaits.

        Args:
            sender: the sender.
            conversation_type: the type under which the sender knows the conversation. None if the sender does not
                state one: then only the journal checks the policy, after it has checked access, so that an outsider
                learns nothing about the conversation.
            conversation_id: the conversation.
            draft: the message.
            announce: see `Announce`.

        Raises:
            NotFound: `conversation_id` is malformed; or, when awaited, the sender is not a member of such a
                conversation, or the device is signed out.
            EncryptionRequired: the policy for this type requires ciphertext; or, when awaited, the conversation has
                required it once.
            InvalidEncryptionMetadata: `sender_device_id` is another device; or, when awaited, the policy forbids
                ciphertext.
            StorageUnavailable: the queue is full; or, when awaited, it is unknown whether the message was stored: send
                it again with the same client id.
            EpochChanged: when awaited: the conversation has an MLS group, and not all members, or others, too, could
                decrypt the message.
            ContactEnded: when awaited: the conversation is direct, and the contact has ended.
            Conflict, InvalidMessage: when awaited: the client id was used for another message; `reply_to` or an
                attachment cannot be used; the conversation has an MLS group, and the client id is not 32 hex digits.
        """
        if not is_id(conversation_id):
            raise NotFound
        if conversation_type is not None:
            self._policies.check(conversation_type, draft.envelope)
        check_sender(draft.envelope, sender.device_id)
        entry = self._entry(sender, conversation_type, conversation_id, draft)
        queued = QueuedMessage(entry, draft.body, announce, self._vault)
        queued.stored = self._journal.append(entry, queued.on_stored)
        return queued

    def _entry(
        self, sender: Sender, conversation_type: ConversationType | None, conversation_id: str, draft: Draft
    ) -> Entry:
        message_id, envelope = new_id(), draft.envelope
        body = seal_text(BODY_PURPOSE, draft.body, envelope, body_aad(message_id, 0), self._vault)
        emit(events.MessageSerialized(encryption_status=envelope.status, body_bytes=len(draft.body.encode())))
        return Entry(
            id=message_id,
            conversation_id=conversation_id,
            conversation_type=conversation_type,
            user_id=sender.user_id,
            device_id=sender.device_id,
            message_type=draft.message_type,
            body=body,
            client_id=draft.client_id,
            fingerprint=None if draft.client_id is None else self._fingerprint(draft),
            reply_to_id=draft.reply_to,
            encryption_flag=envelope.encryption_flag,
            encryption_version=envelope.encryption_version,
            key_id=envelope.key_id,
            protocol=envelope.protocol,
            epoch=envelope.epoch,
            sender_device_id=envelope.sender_device_id,
            required_types=self._required_types,
            forbidden_types=self._forbidden_types,
            attachment_ids=draft.attachment_ids,
        )

    def _fingerprint(self, draft: Draft) -> bytes:
        envelope = draft.envelope
        return self._index.digest(
            "message",
            draft.body,
            draft.message_type,
            draft.reply_to or "",
            envelope.status,
            envelope.encryption_version or "",
            envelope.key_id or "",
            # Add newer fields only if they are set: the fingerprints of messages stored before they existed must match.
            *_protocol_parts(envelope),
            *(f"attachment {each}" for each in draft.attachment_ids),
        )


def _sent(entry: Entry, stored: Stored, view: MessageView | None) -> SentMessage:
    kind = cast("ConversationType", stored.conversation_type)  # a constraint of the column
    return SentMessage(stored.id, entry.conversation_id, kind, stored.seq, stored.inserted_at, view)


_POLICY_REFUSAL = int(EncryptionErrorCode.POLICY_REFUSAL)
_ERRORS: Mapping[Reason, Callable[..., ChatError]] = {
    "not_found": NotFound,
    "conflict": Conflict,
    "contact_ended": ContactEnded,
    "invalid_reply": partial(InvalidMessage, field="reply_to"),
    "invalid_attachment": partial(InvalidMessage, field="attachment_ids"),
    "encryption_required": partial(EncryptionRequired, error_code=_POLICY_REFUSAL),
    "epoch_changed": EpochChanged,
    "invalid_client_id": partial(InvalidMessage, field="client_id"),
    "encryption_forbidden": partial(InvalidEncryptionMetadata, field="encryption_flag", error_code=_POLICY_REFUSAL),
}


def _protocol_parts(envelope: Envelope) -> list[str]:
    parts = (envelope.protocol, envelope.epoch, envelope.sender_device_id)
    return [] if parts == (None, None, None) else ["" if part is None else str(part) for part in parts]


def _body(value: object, *, may_be_empty: bool, encrypted: bool) -> str:
    if may_be_empty and value == "":
        return ""
    if not isinstance(value, str) or not value or not storable(value):
        raise InvalidMessage(field="body")
    if not encrypted and not has_visible_text(value):
        raise InvalidMessage(field="body")
    return value


def _message_type(value: object) -> str:
    if value is None:
        return "text"
    if not isinstance(value, str) or not _MESSAGE_TYPE.fullmatch(value):
        raise InvalidMessage(field="message_type")
    return value


def _client_id(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and 1 <= len(value) <= _MAX_CLIENT_ID and storable(value)):
        raise InvalidMessage(field="client_id")
    return value


def _reply_to(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and is_id(value)):
        raise InvalidMessage(field="reply_to")
    return value


def _attachment_ids(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_ATTACHMENTS:
        raise InvalidMessage(field="attachment_ids")
    if not all(isinstance(each, str) and is_id(each) for each in value) or len(set(value)) < len(value):
        raise InvalidMessage(field="attachment_ids")
    return tuple(value)
