"""Contacts: two people see each other's profiles while they share a family."""

from typing import Any

from sqlalchemy import Select, select, union
from sqlalchemy.orm import Session, aliased

from famichat.accounts.profile import Profile, profiles_of
from famichat.accounts.user import User
from famichat.chat.errors import NotFound
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.participant import Participant
from famichat.storage.base import is_id


def contacts_of(session: Session, user_id: str) -> list[Profile]:
    """Return the profiles of a user's contacts and the user's own. Contacts are mutual."""
    return profiles_of(session, _around(user_id))


def require_contact(session: Session, viewer_id: str, user_id: str) -> None:
    """Check that two users are contacts.

    Raises:
        NotFound: they are not, or the user does not exist; the error does not reveal which.
    """
    if not shares_family(session, viewer_id, user_id):
        raise NotFound


def shares_family(session: Session, user_id: str, other_id: str) -> bool:
    """Return whether two users share a family."""
    other = select(User.id).where(User.id == other_id, User.id.in_(_around(user_id)))
    return is_id(other_id) and session.execute(other).first() is not None


def direct_conversations_in_family(session: Session, user_id: str, family_id: str) -> list[str]:
    """Return the ids of a user's direct conversations with the members of a family."""
    mine, other = aliased(Participant), aliased(Participant)
    direct = (
        select(Conversation.id)
        .join(mine, mine.conversation_id == Conversation.id)
        .join(other, other.conversation_id == Conversation.id)
        .join(FamilyMembership, FamilyMembership.user_id == other.user_id)
        .where(
            Conversation.type == "direct",
            mine.user_id == user_id,
            other.user_id != user_id,
            FamilyMembership.family_id == family_id,
        )
        .order_by(Conversation.id)
    )
    return list(session.execute(direct).scalars())


def _around(user_id: str) -> Select[Any]:
    my_family, of_family = aliased(FamilyMembership), aliased(FamilyMembership)
    contacts = union(
        select(of_family.user_id)
        .join(my_family, my_family.family_id == of_family.family_id)
        .where(my_family.user_id == user_id),
        select(User.id).where(User.id == user_id),
    ).subquery()
    return select(contacts.c.user_id)
