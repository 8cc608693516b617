"""The one way a message is sent: understood, held to policy, sealed, put in line, stored, and only then told.

Socket, HTTP, terminal and test endpoint all come through here. Nothing is asked of the database but the journal's own
transaction, which asks again whether the sender may.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from famichat.chat.encryption_policy import EncryptionPolicies, check_sender, envelope_of
from famichat.chat.errors import (
    ChatError,
    Conflict,
    EncryptionRequired,
    InvalidEncryptionMetadata,
    InvalidMessage,
    MessageTooLarge,
    NotFound,
)
from famichat.chat.journal.entry import Entry, JournalRefusal, Stored
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.content import seal_text, storable
from famichat.chat.messages.view import MessageView, sent_view
from famichat.chat.records.attachment import MAX_ATTACHMENTS
from famichat.chat.records.conversation import ConversationType
from famichat.chat.records.message import BODY_PURPOSE, MAX_BODY_BYTES, body_aad
from famichat.e2ee.envelope import Envelope
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import is_id, new_id
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.telemetry import emit, events

Announce = Callable[[MessageView], None]

_MESSAGE_TYPE = re.compile(r"[a-z0-9_.-]{1,32}")
_MAX_CLIENT_ID = 128


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, from which device."""

    user_id: str
    device_id: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to say, understood but not yet stored."""

    body: str
    message_type: str
    client_id: str | None
    reply_to: str | None
    envelope: Envelope
    attachment_ids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Draft":
        """Read a `new_msg` payload, or the same as a request's body. Fields it does not know are left aside.

        Raises:
            InvalidMessage: a field is missing or malformed; `details["field"]` names it.
            MessageTooLarge: the body is over 64 KiB of UTF-8.
            InvalidEncryptionMetadata: the envelope is missing a part, or a part is malformed.
        """
        envelope = envelope_of(payload)
        attachment_ids = _attachment_ids(payload.get("attachment_ids"))
        draft = cls(
            body=_body(payload.get("body"), may_be_empty=bool(attachment_ids)),
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
class Sent:
    """A message that is on disk. `repeat` says that it was there before; then nobody was told again."""

    message_id: str
    seq: int
    inserted_at: datetime
    repeat: bool


class SendPath:
    """Sends messages.

    Args:
        journal: where they are stored.
        vault: seals what is not encrypted end to end.
        index: makes the fingerprints by which repeats are told from conflicts.
        policies: which conversation types demand ciphertext.
    """

    def __init__(self, journal: Journal, vault: Vault, index: BlindIndex, policies: EncryptionPolicies) -> None:
        self._journal = journal
        self._vault = vault
        self._index = index
        self._policies = policies

    def send(
        self,
        sender: Sender,
        conversation_type: ConversationType,
        conversation_id: str,
        draft: Draft,
        announce: Announce,
    ) -> Awaitable[Sent]:
        """Put a message in line, at once; await what is returned to know that it is on disk.

        Messages are stored in the order of these calls, not of the awaits.

        Args:
            sender: who sends it.
            conversation_type: the type under which the sender knows the conversation.
            conversation_id: where it goes.
            draft: what it says.
            announce: tells the conversation; called after the commit, in the order of seq, never for a repeat.

        Raises:
            EncryptionRequired: the policy for this type refuses it, at once; or, when awaited, the conversation has
                demanded ciphertext once.
            InvalidEncryptionMetadata: another device is said to have sealed it, at once; or, when awaited, the policy
                forbids ciphertext.
            StorageUnavailable: too many wait, at once; or, when awaited, nobody knows that it was stored: send it
                again, by the same client id.
            NotFound, Conflict, InvalidMessage: when awaited.
        """
        self._policies.check(conversation_type, draft.envelope)
        check_sender(draft.envelope, sender.device_id)
        entry = self._entry(sender, conversation_type, conversation_id, draft)
        started = time.perf_counter()
        future = self._journal.append(entry, lambda stored: announce(sent_view(entry, stored, draft.body, self._vault)))
        return self._answer(future, conversation_type, len(entry.body), started)

    def _entry(self, sender: Sender, conversation_type: ConversationType, conversation_id: str, draft: Draft) -> Entry:
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
            encryption_forbidden=self._policies.of(conversation_type) == "forbidden",
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
            # Only where there are any: what was stored before there were such fields must stay a repeat of itself.
            *_protocol_parts(envelope),
            *(f"attachment {each}" for each in draft.attachment_ids),
        )

    async def _answer(
        self, future: "Awaitable[Stored]", conversation_type: ConversationType, size: int, started: float
    ) -> Sent:
        try:
            stored = await future
        except JournalRefusal as refusal:
            raise _as_chat_error(refusal) from refusal
        emit(
            events.MessageSent(
                conversation_type=conversation_type,
                body_bytes=size,
                store_seconds=time.perf_counter() - started,
                repeat=stored.repeat,
            )
        )
        return Sent(stored.id, stored.seq, stored.inserted_at, stored.repeat)


def _as_chat_error(refusal: JournalRefusal) -> ChatError:
    match refusal.reason:
        case "not_found":
            return NotFound()
        case "conflict":
            return Conflict()
        case "invalid_reply":
            return InvalidMessage(field="reply_to")
        case "invalid_attachment":
            return InvalidMessage(field="attachment_ids")
        case "encryption_required":
            return EncryptionRequired(error_code=int(EncryptionErrorCode.POLICY_REFUSAL))
        case "encryption_forbidden":
            return InvalidEncryptionMetadata(
                field="encryption_flag", error_code=int(EncryptionErrorCode.POLICY_REFUSAL)
            )


def _protocol_parts(envelope: Envelope) -> list[str]:
    parts = (envelope.protocol, envelope.epoch, envelope.sender_device_id)
    return [] if parts == (None, None, None) else ["" if part is None else str(part) for part in parts]


def _body(value: object, *, may_be_empty: bool) -> str:
    if may_be_empty and value == "":
        return ""
    if not isinstance(value, str) or not value or not storable(value):
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
