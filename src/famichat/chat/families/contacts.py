"""Contacts: two people see each other's profiles if they share a family or a conversation."""

from typing import Any

from sqlalchemy import Select, select, union
from sqlalchemy.orm import Session, aliased

from famichat.accounts.profile import Profile, profiles_of
from famichat.accounts.user import User
from famichat.chat.errors import NotFound
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
    if not is_id(user_id):
        raise NotFound
    seen = select(User.id).where(User.id == user_id, User.id.in_(_around(viewer_id)))
    if session.execute(seen).scalar_one_or_none() is None:
        raise NotFound


def _around(user_id: str) -> Select[Any]:
    my_family, of_family = aliased(FamilyMembership), aliased(FamilyMembership)
    my_conversation, of_conversation = aliased(Participant), aliased(Participant)
    contacts = union(
        select(of_family.user_id)
        .join(my_family, my_family.family_id == of_family.family_id)
        .where(my_family.user_id == user_id),
        select(of_conversation.user_id)
        .join(my_conversation, my_conversation.conversation_id == of_conversation.conversation_id)
        .where(my_conversation.user_id == user_id),
        select(User.id).where(User.id == user_id),
    ).subquery()
    return select(contacts.c.user_id)
