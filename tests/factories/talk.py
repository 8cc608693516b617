"""Something that was said already: messages put into the database at once, without the journal."""

import base64
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.chat.conversations.create import create_direct_conversation, create_group_conversation
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.messages.change import Change, ChangeServices, Deletion, Edit, React
from famichat.chat.messages.change_writer import ChangeRequest, ChangeResult, make_change
from famichat.chat.records.attachment import Attachment, AttachmentSecrets
from famichat.chat.records.conversation import CONVERSATION_TYPES, Conversation
from famichat.chat.records.message import BODY_PURPOSE, Message
from famichat.storage.base import new_id, now
from tests.factories.people import INDEX, VAULT, Household, Person

GROUND = ChangeServices(VAULT, EncryptionPolicies(dict.fromkeys(CONVERSATION_TYPES, "optional")))


def say(session: Session, conversation_id: str, who: Person, *bodies: str, **fields: Any) -> list[str]:
    """Let somebody have said something; gives the ids of the messages. `fields` replace those of the rows."""
    conversation = session.get_one(Conversation, conversation_id, populate_existing=True)
    ids = []
    for body in bodies:
        conversation.last_seq += 1
        message_id = new_id()
        row = {
            "id": message_id,
            "conversation_id": conversation_id,
            "seq": conversation.last_seq,
            "user_id": who.user_id,
            "device_id": who.device_id,
            "body": VAULT.seal(BODY_PURPOSE, body.encode(), message_id),
        }
        session.add(Message(**{**row, **fields}))
        ids.append(message_id)
    session.flush()
    return ids


def asked(who: Person, conversation_id: str, message_id: str, change: Change) -> ChangeRequest:
    """What somebody wants to become of a message."""
    return ChangeRequest(who.user_id, who.device_id, conversation_id, None, message_id, change)


def edit(body: str, **envelope: Any) -> Edit:
    """Other words."""
    return Edit.parse({"body": body, **envelope})


def react(emoji: str | None, **envelope: Any) -> React:
    """A reaction, or its end."""
    return React.parse({"emoji": emoji, **envelope})


def do(session: Session, who: Person, conversation_id: str, message_id: str, change: Change) -> ChangeResult:
    """Let somebody have changed a message."""
    return make_change(session, asked(who, conversation_id, message_id, change), GROUND)


DELETE = Deletion()


def attach(session: Session, conversation_id: str, who: Person, message_id: str | None = None) -> str:
    """Let somebody have attached a file of five bytes to a message, or have begun to upload it; gives its id."""
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
    """The conversation of Maja and Emil."""
    pair = household.maja.user_id, household.emil.user_id
    return create_direct_conversation(session, *pair, blind_index=INDEX).conversation.id


def group_of(session: Session, household: Household) -> str:
    """A new group of Maja, its admin, with Emil and Inga."""
    others = household.emil.user_id, household.inga.user_id
    return create_group_conversation(session, household.maja.user_id, "Fika", others).conversation.id


def stored(session: Session) -> int:
    """How many messages there are."""
    return session.execute(select(func.count(Message.id))).scalar_one()
