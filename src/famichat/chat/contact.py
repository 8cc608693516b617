"""Contact between two users: whether they may send each other direct messages and see each other online.

Contact is open while two users share a family, neither has blocked the other one, and no guardian of a child has ended
it. The journal checks the same condition in its own SQL (`chat.journal.statements`); a test compares the two.
"""

from collections.abc import Collection
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, or_, select, union
from sqlalchemy.orm import Session, aliased

from famichat.chat.access import Access
from famichat.chat.errors import ContactEnded
from famichat.chat.records.contact import Block, EndedContact
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.participant import Participant, participants
from famichat.storage.prepared import Prepared

Contact = Literal["open", "blocked", "ended"]
"""The state of a direct conversation for one member: `blocked` by that member; `ended` for any other reason."""


def contacts(session: Session, accesses: Collection[Access]) -> dict[tuple[str, str], Contact]:
    """Return the state of each direct conversation, by conversation id and user id. Other types are left out."""
    ids = {access.conversation.id for access in accesses if access.conversation.type == "direct"}
    if not ids:
        return {}
    found: dict[tuple[str, str], Contact] = {
        (conversation_id, user_id): "blocked" if is_blocked else "open" if is_open else "ended"
        for conversation_id, user_id, is_open, is_blocked in _PAIRS.rows(session, conversation_ids=list(ids))
    }
    # If the other member has left or was deleted, there is no pair.
    keys = {(access.conversation.id, access.user_id) for access in accesses if access.conversation.id in ids}
    return {key: found.get(key, "ended") for key in keys}


def require_open(session: Session, access: Access) -> None:
    """Check that a member may still send to a conversation. Types other than `direct` are always open to members.

    Raises:
        ContactEnded: the contact with the other member has ended; the error does not reveal why.
    """
    if contacts(session, [access]).get((access.conversation.id, access.user_id), "open") != "open":
        raise ContactEnded


def hidden_people(session: Session, access: Access, contact: Contact | None) -> frozenset[str]:
    """Return the users who do not see, in this conversation, that the member is online or typing, and vice versa.

    Args:
        session: the transaction.
        access: the conversation and the member.
        contact: the state of a direct conversation for the member, which decides there; None for other types.
    """
    if contact == "open":
        return frozenset()
    if contact is not None:
        return frozenset(participants(session, access.conversation.id)) - {access.user_id}
    return frozenset(person for (person,) in _KEPT_APART.rows(session, user_id=access.user_id))


def is_kept_apart(session: Session, user_id: str, other_id: str) -> bool:
    """Return whether one of two users has blocked the other, or a guardian has ended their contact."""
    return bool(session.execute(select(_is_kept_apart((user_id, other_id)))).scalar_one())


def is_open(user_id: Any, other_id: Any) -> ColumnElement[bool]:
    """Return the SQL condition that contact between two users, given as columns, is open."""
    family, of_other = aliased(FamilyMembership), aliased(FamilyMembership)
    shared = exists().where(
        family.family_id == of_other.family_id, family.user_id == user_id, of_other.user_id == other_id
    )
    return and_(shared, ~_is_kept_apart((user_id, other_id)))


def shared_conversations(session: Session, user_id: str, other_id: str) -> list[Conversation]:
    """Return the conversations that two users are both members of, in the order of their ids."""
    theirs = select(Participant.conversation_id).where(Participant.user_id == other_id)
    both = (
        select(Conversation)
        .join(Participant, Participant.conversation_id == Conversation.id)
        .where(Participant.user_id == user_id, Conversation.id.in_(theirs))
        .order_by(Conversation.id)
    )
    return list(session.execute(both).scalars())


def _is_kept_apart(pair: tuple[Any, Any]) -> ColumnElement[bool]:
    # Neither table has a row with the same user twice, so both orders of the pair are covered.
    return or_(
        exists().where(Block.user_id.in_(pair), Block.blocked_id.in_(pair)),
        exists().where(EndedContact.child_id.in_(pair), EndedContact.contact_id.in_(pair)),
    )


def _pairs() -> Select[str, str, bool, bool]:
    other = aliased(Participant)
    mine, theirs = Participant.user_id, other.user_id
    blocked = exists().where(Block.user_id == mine, Block.blocked_id == theirs)
    return (
        select(Participant.conversation_id, mine, is_open(mine, theirs).label("open"), blocked.label("blocked"))
        .join(other, and_(other.conversation_id == Participant.conversation_id, theirs != mine))
        .where(Participant.conversation_id.in_(bindparam("conversation_ids", expanding=True)))
    )


_PAIRS: Final = Prepared[str, str, bool, bool](_pairs())
_KEPT_APART: Final = Prepared[str](
    union(
        select(Block.blocked_id).where(Block.user_id == bindparam("user_id")),
        select(Block.user_id).where(Block.blocked_id == bindparam("user_id")),
        select(EndedContact.contact_id).where(EndedContact.child_id == bindparam("user_id")),
        select(EndedContact.child_id).where(EndedContact.contact_id == bindparam("user_id")),
    )
)
