"""Builds stored messages directly in the database, without the journal."""

import base64
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.chat.conversations.create import create_direct_conversation, create_group_conversation
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.journal.entry import Entry
from famichat.chat.messages.change import Change, ChangeServices, Deletion, Edit, React
from famichat.chat.messages.change_writer import ChangeRequest, ChangeResult, make_change
from famichat.chat.messages.receipt import Status
from famichat.chat.records.attachment import Attachment, AttachmentSecrets
from famichat.chat.records.conversation import CONVERSATION_TYPES, Conversation
from famichat.chat.records.message import BODY_PURPOSE, Message
from famichat.chat.records.receipt import Receipt
from famichat.storage.base import new_id, now
from tests.factories.people import INDEX, VAULT, Household, Person

GROUND = ChangeServices(VAULT, EncryptionPolicies(dict.fromkeys(CONVERSATION_TYPES, "optional")))


def entry_of(conversation_id: str, sender: Person, **fields: Any) -> Entry:
    """Return a message for the journal. `fields` replace its fields."""
    entry = Entry(
        id=new_id(),
        conversation_id=conversation_id,
        conversation_type=None,
        user_id=sender.user_id,
        device_id=sender.device_id,
        message_type="text",
        body=b"sealed",
        client_id=None,
        fingerprint=None,
        reply_to_id=None,
        encryption_flag=False,
        encryption_version=None,
        key_id=None,
    )
    return replace(entry, **fields)


def say(session: Session, conversation_id: str, who: Person, *bodies: str, **fields: Any) -> list[str]:
    """Store messages of a user and return their ids. `fields` replace columns of the rows."""
    conversation = session.get_one(Conversation, conversation_id, populate_existing=True)
    mine = Message.conversation_id == conversation_id, Message.user_id == fields.get("user_id", who.user_id)
    sent = session.execute(select(func.count(Message.id)).where(*mine)).scalar_one()
    ids = []
    for sender_seq, body in enumerate(bodies, sent + 1):
        conversation.last_seq += 1
        message_id = new_id()
        row = {
            "id": message_id,
            "conversation_id": conversation_id,
            "seq": conversation.last_seq,
            "user_id": who.user_id,
            "device_id": who.device_id,
            "sender_seq": sender_seq,
            "body": VAULT.seal(BODY_PURPOSE, body.encode(), message_id),
        }
        session.add(Message(**{**row, **fields}))
        ids.append(message_id)
    session.flush()
    return ids


def acknowledged(
    session: Session, conversation_id: str, who: Person, seq: int, status: Status = "read", device_id: str | None = None
) -> None:
    """Store a receipt of a user's device, by default the first one. Positions do not move back."""
    key = {"conversation_id": conversation_id, "device_id": device_id or who.device_id}
    receipt = session.get(Receipt, key) or Receipt(**key, user_id=who.user_id, delivered_seq=0, read_seq=0)
    receipt.delivered_seq = max(receipt.delivered_seq, seq)
    receipt.read_seq = max(receipt.read_seq, seq if status == "read" else 0)
    session.add(receipt)
    session.flush()


def asked(who: Person, conversation_id: str, message_id: str, change: Change) -> ChangeRequest:
    """Build a change request."""
    return ChangeRequest(who.user_id, who.device_id, conversation_id, None, message_id, change)


def edit(body: str, **envelope: Any) -> Edit:
    """Build an edit."""
    return Edit.parse({"body": body, **envelope})


def react(emoji: str | None, **envelope: Any) -> React:
    """Build a reaction, or its removal."""
    return React.parse({"emoji": emoji, **envelope})


def do(session: Session, who: Person, conversation_id: str, message_id: str, change: Change) -> ChangeResult:
    """Apply a change to a message."""
    return make_change(session, asked(who, conversation_id, message_id, change), GROUND)


DELETE = Deletion()


def attach(session: Session, conversation_id: str, who: Person, message_id: str | None = None) -> str:
    """Store an attachment of five bytes, completed or pending, and return its id."""
    attachment_id = new_id()
    secrets = AttachmentSecrets(key=base64.b64encode(b"\x08" * 32).decode(), name="list.txt")
    sent = {} if message_id is None else {"message_id": message_id, "position": 0, "finished_at": now()}
    attachment = Attachment(
        id=attachment_id,
        conversation_id=conversation_id,
        user_id=who.user_id,
        size=5,
        content_type="application/octet-stream",
        encrypted=False,
        keep_metadata=False,
        sealed=secrets.seal(VAULT, attachment_id),
        **sent,
    )
    session.add(attachment)
    session.flush()
    return attachment_id


def direct_of(session: Session, household: Household) -> str:
    """Create the direct conversation of Maja and Emil."""
    pair = household.maja.user_id, household.emil.user_id
    return create_direct_conversation(session, *pair, blind_index=INDEX).conversation.id


def group_of(session: Session, household: Household) -> str:
    """Create a group of Maja (admin), Emil and Inga."""
    others = household.emil.user_id, household.inga.user_id
    return create_group_conversation(session, household.maja.user_id, "Fika", others).conversation.id


def stored(session: Session) -> int:
    """Count all messages."""
    return session.execute(select(func.count(Message.id))).scalar_one()
