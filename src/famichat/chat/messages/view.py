"""What a client is shown: the JSON of a message and of a conversation, the same from every door.

`docs/protocol.md` describes the fields. There is no other place that turns a record into JSON.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from famichat.chat.journal.entry import Entry, Stored
from famichat.chat.messages.content import open_text
from famichat.chat.messages.reaction import reaction_view, reactions_to
from famichat.chat.records.attachment import attachment_views
from famichat.chat.records.message import BODY_PURPOSE, Message, body_aad
from famichat.chat.records.reaction import Reaction
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import rfc3339
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError

MessageView = dict[str, Any]


def message_views(session: Session, messages: Sequence[Message], vault: Vault) -> list[MessageView]:
    """Stored messages with the reactions to them: one query more, and none where nothing was ever changed."""
    reactions = reactions_among(session, messages)
    return [message_view(each, vault, reactions.get(each.id, ())) for each in messages]


def reactions_among(session: Session, messages: Sequence[Message]) -> dict[str, list[Reaction]]:
    """The reactions to messages, by message. A message that never changed has none, and is not asked about."""
    changed = [each.id for each in messages if each.change]
    return reactions_to(session, changed) if changed else {}


def message_view(message: Message, vault: Vault, reactions: Sequence[Reaction] = ()) -> MessageView:
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
        "inserted_at": rfc3339(message.inserted_at),
        "edited_at": _iso(message.edited_at),
        "deleted_at": _iso(message.deleted_at),
        "deleted_by": message.deleted_by_id,
        "encryption_flag": message.encryption_flag,
        "encryption_version": message.encryption_version,
        "key_id": message.key_id,
        "protocol": message.protocol,
        "epoch": message.epoch,
        "sender_device_id": message.sender_device_id,
        "reactions": [reaction_view(each, vault) for each in reactions],
        "change": message.change,
        "attachments": [],
    }
    try:
        view["body"] = body_of(message, vault)
        if message.deleted_at is None:
            view["attachments"] = attachment_views(message.attachments, vault)
    except UnsealError:
        view["error_code"] = int(EncryptionErrorCode.DECRYPTION_FAILURE)
    return view


def sent_view(entry: Entry, stored: Stored, body: str, vault: Vault) -> MessageView:
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
        "inserted_at": rfc3339(stored.inserted_at),
        "edited_at": None,
        "deleted_at": None,
        "deleted_by": None,
        "encryption_flag": entry.encryption_flag,
        "encryption_version": entry.encryption_version,
        "key_id": entry.key_id,
        "protocol": entry.protocol,
        "epoch": entry.epoch,
        "sender_device_id": entry.sender_device_id,
        "reactions": [],
        "change": 0,
        "attachments": attachment_views(stored.attachments, vault) if stored.attachments else [],
    }


def body_of(message: Message, vault: Vault) -> str | None:
    """What a message says now; None when it was deleted.

    Raises:
        UnsealError: what is stored does not open any more.
    """
    if message.body is None or message.deleted_at is not None:
        return None
    bound_to = body_aad(message.id, message.edits)
    return open_text(BODY_PURPOSE, message.body, bound_to, vault, encrypted=message.encryption_flag)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
