"""The only way to get a conversation: for somebody who is in it, or not at all.

Everything else takes the `Access` that `conversation_for` gives, so nothing can be done to a conversation without
asking here first, in the same transaction.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, select
from sqlalchemy.orm import Session

from famichat.chat.errors import NotFound
from famichat.chat.records.conversation import Conversation, Role
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.storage.base import is_id


@dataclass(frozen=True, slots=True)
class Access:
    """That one person is in one conversation, as this transaction sees it.

    Attributes:
        conversation: the conversation.
        participant: that person's place in it: what may be seen of it, and how it is shown.
        role: in a group the one granted there, in a family conversation the one in the family; else `member`.
    """

    conversation: Conversation
    participant: Participant
    role: Role

    @property
    def user_id(self) -> str:
        """Whose access this is."""
        return self.participant.user_id

    def can_see(self, seq: int) -> bool:
        """Return whether this person may see the message at `seq`."""
        return is_visible(seq, self.participant.visible_from_seq)

    def visible_messages(self) -> Select[Message]:
        """Return a query for the messages of the conversation that this person may see."""
        return select(Message).where(
            Message.conversation_id == self.conversation.id, Message.seq >= self.participant.visible_from_seq
        )


def is_visible(seq: int, visible_from_seq: int) -> bool:
    """Return whether a participant may see a message: members who join later do not see what came before.

    The rule is compared here and in `chat.journal.statements` only; a test checks that.

    Args:
        seq: the position of the message.
        visible_from_seq: `Participant.visible_from_seq`.
    """
    return seq >= visible_from_seq


def read_up_to(read_seq: ColumnElement[int]) -> ColumnElement[int]:
    """Return an SQL expression for the position up to which a participant has nothing unread.

    Args:
        read_seq: the furthest position that the participant has read; NULL for none.
    """
    before = Participant.visible_from_seq - 1
    return case((read_seq > before, read_seq), else_=before)


def conversation_for(session: Session, user_id: str, conversation_id: str, type: str | None = None) -> Access:  # noqa: A002 - the contract's word
    """Let somebody into a conversation.

    Args:
        session: the transaction; the answer holds only inside it.
        user_id: who asks.
        conversation_id: whatever was asked for.
        type: the type under which the asker knows it, where the asker says one.

    Raises:
        NotFound: there is no such conversation, or not of this type, or not with this person in it (any more), or this
            is no id: the answer is the same, so that nobody learns of what is not theirs.
    """
    if not (is_id(conversation_id) and is_id(user_id)):
        raise NotFound
    row = session.execute(
        _accesses().where(Participant.conversation_id == conversation_id, Participant.user_id == user_id)
    ).one_or_none()
    if row is None or type not in {None, row.Conversation.type}:
        raise NotFound
    return _access(row)


def conversations_of(session: Session, user_id: str, *, hidden: bool = False, archived: bool = False) -> list[Access]:
    """The conversations somebody is in, of one shelf: neither hidden nor archived, or either of them, or both.

    The one in which something happened last comes first.
    """
    mine = _accesses().where(
        Participant.user_id == user_id,
        Participant.hidden_at.is_not(None) if hidden else Participant.hidden_at.is_(None),
        Participant.archived_at.is_not(None) if archived else Participant.archived_at.is_(None),
    )
    newest_first = mine.order_by(Conversation.updated_at.desc(), Conversation.id.desc())
    return [_access(row) for row in session.execute(newest_first)]


def everyones_access(session: Session, conversation_id: str) -> list[Access]:
    """The access of each person in a conversation, to show each of them what changed."""
    theirs = _accesses().where(Participant.conversation_id == conversation_id).order_by(Participant.user_id)
    return [_access(row) for row in session.execute(theirs)]


def role_of() -> Any:
    """The role of a participant, in a query that went through `with_roles`."""
    return func.coalesce(GroupPrivilege.role, FamilyMembership.role, "member")


def with_roles(query: Select[Any]) -> Select[Any]:
    """Join a query of participants with their conversations, and with what decides about roles there."""
    return (
        query.join_from(Participant, Conversation, Conversation.id == Participant.conversation_id)
        .outerjoin(
            GroupPrivilege,
            and_(
                GroupPrivilege.conversation_id == Participant.conversation_id,
                GroupPrivilege.user_id == Participant.user_id,
            ),
        )
        .outerjoin(
            FamilyMembership,
            and_(
                Conversation.type == "family",
                FamilyMembership.family_id == Conversation.family_id,
                FamilyMembership.user_id == Participant.user_id,
            ),
        )
    )


def _accesses() -> Select[Any]:
    return with_roles(select(Participant, Conversation, role_of().label("role")))


def _access(row: Row[Any]) -> Access:
    return Access(row.Conversation, row.Participant, row.role)
