"""Who may see whom: whoever shares a family or a conversation with somebody sees how this person is shown."""

from typing import Any

from sqlalchemy import Select, select, union
from sqlalchemy.orm import Session, aliased

from famichat.accounts.profile import Profile, profiles_of
from famichat.accounts.user import User
from famichat.chat.errors import NotFound
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.participant import Participant
from famichat.storage.base import is_id


def people_around(session: Session, user_id: str) -> list[Profile]:
    """Everybody whom somebody sees, this person among them. It is the same people who see this person."""
    return profiles_of(session, _around(user_id))


def person_for(session: Session, viewer_id: str, user_id: str) -> None:
    """Go on only if somebody sees somebody.

    Raises:
        NotFound: the two share nothing, or there is no such person: the answer is the same.
    """
    if not is_id(user_id):
        raise NotFound
    seen = select(User.id).where(User.id == user_id, User.id.in_(_around(viewer_id)))
    if session.execute(seen).scalar_one_or_none() is None:
        raise NotFound


def _around(user_id: str) -> Select[Any]:
    my_family, of_family = aliased(FamilyMembership), aliased(FamilyMembership)
    my_talk, of_talk = aliased(Participant), aliased(Participant)
    everybody = union(
        select(of_family.user_id)
        .join(my_family, my_family.family_id == of_family.family_id)
        .where(my_family.user_id == user_id),
        select(of_talk.user_id)
        .join(my_talk, my_talk.conversation_id == of_talk.conversation_id)
        .where(my_talk.user_id == user_id),
        select(User.id).where(User.id == user_id),
    ).subquery()
    return select(everybody.c.user_id)
