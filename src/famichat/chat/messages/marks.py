"""Pins, which all members of a conversation see, and the stars and hidden messages of one user.

They refer to messages and need no content, so they work in conversations that the server cannot read. All functions are
idempotent. A deleted message keeps its rows, but counts and appears as a star or a pin no longer.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.contact import require_open
from famichat.chat.errors import MessageDeleted, NotAdmin, TooManyMarks
from famichat.chat.lock import lock_conversations
from famichat.chat.messages.page import visible_message
from famichat.chat.messages.schema import MarksView
from famichat.chat.records.message import Message
from famichat.chat.records.message_mark import Mark, MessageMark, MessagePin

MAX_PINS = 5
MAX_MARKS = 2000
"""How many messages of a conversation a user can star, and how many they can hide."""


def pin(session: Session, access: Access, message_id: str) -> bool:
    """Pin a message for all members.

    Returns:
        whether it was not pinned before.

    Raises:
        NotFound: the member cannot see such a message.
        NotAdmin: the conversation has admins, and the member is not one of them.
        ContactEnded: the conversation is direct, and the contact has ended.
        MessageDeleted: the message was deleted.
        TooManyMarks: `MAX_PINS` messages are pinned.
    """
    message = _to_pin(session, access, message_id)
    if message.deleted_at is not None:
        raise MessageDeleted
    if session.get(MessagePin, message.id) is not None:
        return False
    pinned = select(func.count()).select_from(MessagePin).join(Message, Message.id == MessagePin.message_id)
    existing = pinned.where(MessagePin.conversation_id == access.conversation.id, Message.deleted_at.is_(None))
    if session.execute(existing).scalar_one() >= MAX_PINS:
        raise TooManyMarks(max=MAX_PINS)
    session.add(MessagePin(message_id=message.id, conversation_id=access.conversation.id, user_id=access.user_id))
    session.flush()
    return True


def unpin(session: Session, access: Access, message_id: str) -> bool:
    """Unpin a message.

    Returns:
        whether it was pinned.

    Raises:
        NotFound, NotAdmin, ContactEnded: see `pin`.
    """
    found = session.get(MessagePin, _to_pin(session, access, message_id).id)
    if found is not None:
        session.delete(found)
        session.flush()
    return found is not None


def mark_message(session: Session, access: Access, message_id: str, mark: Mark) -> bool:
    """Star or hide a message for one member.

    Returns:
        whether it was not marked so before.

    Raises:
        NotFound: the member cannot see such a message.
        TooManyMarks: the member has marked `MAX_MARKS` messages of the conversation so.
    """
    message = visible_message(session, access, message_id)
    # Like the membership, so that two devices together cannot exceed the limit.
    lock_conversations(session, [access.conversation.id])
    key = {"user_id": access.user_id, "conversation_id": access.conversation.id, "mark": mark}
    if session.get(MessageMark, {**key, "message_id": message.id}) is not None:
        return False
    existing = select(func.count()).select_from(MessageMark).filter_by(**key)
    if mark == "starred":
        existing = existing.join(Message, Message.id == MessageMark.message_id).where(Message.deleted_at.is_(None))
    if session.execute(existing).scalar_one() >= MAX_MARKS:
        raise TooManyMarks(max=MAX_MARKS)
    session.add(MessageMark(**key, message_id=message.id))
    session.flush()
    return True


def unmark_message(session: Session, access: Access, message_id: str, mark: Mark) -> bool:
    """Remove a star, or show a hidden message again.

    Returns:
        whether it was marked so.

    Raises:
        NotFound: the member cannot see such a message.
    """
    message = visible_message(session, access, message_id)
    key = {"user_id": access.user_id, "conversation_id": access.conversation.id, "mark": mark}
    found = session.get(MessageMark, {**key, "message_id": message.id})
    if found is not None:
        session.delete(found)
        session.flush()
    return found is not None


def marks_of(session: Session, access: Access) -> MarksView:
    """Return the marked messages of a conversation that a member may see."""
    visible = Message.seq >= access.first_visible()
    pins = (
        select(MessagePin.message_id, Message.seq, MessagePin.user_id)
        .join(Message, Message.id == MessagePin.message_id)
        .where(MessagePin.conversation_id == access.conversation.id, visible, Message.deleted_at.is_(None))
        .order_by(MessagePin.inserted_at.desc(), Message.seq.desc())
    )
    own = (
        select(MessageMark.mark, Message.seq, Message.deleted_at)
        .join(Message, Message.id == MessageMark.message_id)
        .where(MessageMark.user_id == access.user_id, MessageMark.conversation_id == access.conversation.id, visible)
        .order_by(Message.seq.desc())
    )
    marked = session.execute(own).all()
    return {
        "pinned": [{"message_id": id_, "seq": seq, "user_id": by} for id_, seq, by in session.execute(pins)],
        "starred": [seq for mark, seq, deleted_at in marked if mark == "starred" and deleted_at is None],
        "hidden": [seq for mark, seq, _ in marked if mark == "hidden"],
    }


def _to_pin(session: Session, access: Access, message_id: str) -> Message:
    message = visible_message(session, access, message_id)
    if access.conversation.type in {"group", "family"} and access.role != "admin":
        raise NotAdmin
    require_open(session, access)
    # Otherwise two members who pin at the same time could exceed the limit.
    lock_conversations(session, [access.conversation.id])
    return message
