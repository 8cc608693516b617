"""What a client is shown: the JSON of a message and of a conversation, the same from every door.

`docs/protocol.md` describes the fields. There is no other place that turns a record into JSON.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.message import BODY_PURPOSE, Message
from famichat.chat.overview import Overview, overviews
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import iso, now
from famichat.storage.entry import Entry, Stored
from famichat.storage.errors import UnsealError
from famichat.storage.sealed import Vault
from famichat.telemetry import emit, events

MessageView = dict[str, Any]
ConversationView = dict[str, Any]


def message_view(message: Message, vault: Vault) -> MessageView:
    """A stored message. One whose body does not open any more keeps its place, with no body and an `error_code`."""
    view: MessageView = {
        "message_id": message.id,
        "conversation_id": message.conversation_id,
        "seq": message.seq,
        "user_id": message.user_id,
        "device_id": message.device_id,
        "message_type": message.message_type,
        "body": None,
        "client_id": message.client_id,
        "reply_to": message.reply_to_id,
        "inserted_at": iso(message.inserted_at),
        "edited_at": _iso(message.edited_at),
        "deleted_at": _iso(message.deleted_at),
        "encryption_flag": message.encryption_flag,
        "encryption_version": message.encryption_version,
        "key_id": message.key_id,
        "protocol": message.protocol,
        "epoch": message.epoch,
        "sender_device_id": message.sender_device_id,
    }
    try:
        view["body"] = _body(message, vault)
    except UnsealError:
        view["error_code"] = int(EncryptionErrorCode.DECRYPTION_FAILURE)
    return view


def sent_view(entry: Entry, stored: Stored, body: str) -> MessageView:
    """A message that was stored this moment, whose body is still at hand; the same as `message_view` gives later."""
    return {
        "message_id": stored.id,
        "conversation_id": entry.conversation_id,
        "seq": stored.seq,
        "user_id": entry.user_id,
        "device_id": entry.device_id,
        "message_type": entry.message_type,
        "body": body,
        "client_id": entry.client_id,
        "reply_to": entry.reply_to_id,
        "inserted_at": iso(stored.inserted_at),
        "edited_at": None,
        "deleted_at": None,
        "encryption_flag": entry.encryption_flag,
        "encryption_version": entry.encryption_version,
        "key_id": entry.key_id,
        "protocol": entry.protocol,
        "epoch": entry.epoch,
        "sender_device_id": entry.sender_device_id,
    }


def conversation_view(session: Session, access: Access, policies: EncryptionPolicies, vault: Vault) -> ConversationView:
    """One conversation, as the person of `access` sees it from outside."""
    return conversation_views(session, [access], policies, vault)[0]


def conversation_views(
    session: Session, accesses: Sequence[Access], policies: EncryptionPolicies, vault: Vault
) -> list[ConversationView]:
    """Conversations, each as the person of its access sees it; as many queries for a hundred as for one."""
    return [_conversation(overview, policies, vault) for overview in overviews(session, accesses)]


def _conversation(overview: Overview, policies: EncryptionPolicies, vault: Vault) -> ConversationView:
    conversation, participant = overview.access.conversation, overview.access.participant
    last, required_once = overview.last_message, conversation.encryption_required
    return {
        "id": conversation.id,
        "type": conversation.type,
        "family_id": conversation.family_id,
        "name": conversation.name,
        "created_at": iso(conversation.created_at),
        "epoch": overview.epoch,
        "last_seq": conversation.last_seq,
        "history": conversation.history,
        "members": [{"user_id": member.user_id, "role": member.role} for member in overview.members],
        "encryption_policy": policies.of(conversation.type, required_once=required_once),
        "encryption_status": policies.status(conversation.type, required_once=required_once),
        "last_message": None if last is None else message_view(last, vault),
        "unread": overview.unread,
        "hidden": participant.hidden_at is not None,
        "hidden_by_users": [member.user_id for member in overview.members if member.hides],
        "archived": participant.archived_at is not None,
        "muted_until": _iso(_still(participant.muted_until)),
    }


def _body(message: Message, vault: Vault) -> str | None:
    if message.body is None or message.deleted_at is not None:
        return None
    if not message.encryption_flag:
        return vault.open(BODY_PURPOSE, message.body, message.id).decode()
    try:
        return message.body.decode()
    except UnicodeDecodeError as error:
        emit(events.DecryptionFailed(purpose=BODY_PURPOSE))
        raise UnsealError(BODY_PURPOSE) from error


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _still(until: datetime | None) -> datetime | None:
    return until if until is not None and until > now() else None
