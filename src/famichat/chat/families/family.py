"""A family: the people who belong together on this server. How they come and go is in `membership`."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.profile import Profile, profiles_of
from famichat.chat.conversations.rename import checked_name
from famichat.chat.errors import NotAdmin, NotFound
from famichat.chat.records.family import Family, FamilyMembership, FamilyRole
from famichat.storage.base import is_id, new_id


@dataclass(frozen=True, slots=True)
class UserFamily:
    """One family that somebody belongs to."""

    family_id: str
    name: str
    role: FamilyRole
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class FamilyMember:
    """One person of a family."""

    profile: Profile
    role: FamilyRole
    joined_at: datetime

    @property
    def user_id(self) -> str:
        """Who it is."""
        return self.profile.user_id

    @property
    def username(self) -> str:
        """What this person signs in as."""
        return self.profile.username


def needs_setup(session: Session) -> bool:
    """Whether this server still waits for its first family."""
    return session.execute(select(Family.id).limit(1)).scalar_one_or_none() is None


def create_family(session: Session, name: str, creator_id: str) -> Family:
    """Found a family, with its creator as the first admin.

    Raises:
        InvalidName: the name is empty, too long, or has a control character in it.
    """
    family = Family(id=new_id(), name=checked_name(name))
    session.add(family)
    session.flush()
    session.add(FamilyMembership(family_id=family.id, user_id=creator_id, role="admin"))
    session.flush()
    return family


def role_in(session: Session, family_id: str, user_id: str) -> FamilyRole:
    """What somebody is in a family.

    Raises:
        NotFound: nothing; or there is no such family, which a stranger cannot tell apart.
    """
    membership = session.get(FamilyMembership, (family_id, user_id)) if is_id(family_id) and is_id(user_id) else None
    if membership is None:
        raise NotFound
    return membership.role


def require_admin(session: Session, family_id: str, user_id: str) -> None:
    """Go on only if somebody is an admin of a family.

    Raises:
        NotFound: the person does not belong to it.
        NotAdmin: the person is a plain member.
    """
    if role_in(session, family_id, user_id) != "admin":
        raise NotAdmin


def families_of(session: Session, user_id: str) -> list[UserFamily]:
    """The families of one person, the longest-standing first."""
    theirs = (
        select(Family.id, Family.name, FamilyMembership.role, FamilyMembership.joined_at)
        .join(FamilyMembership)
        .where(FamilyMembership.user_id == user_id)
        .order_by(FamilyMembership.joined_at, Family.id)
    )
    return [UserFamily(id_, name, role, joined_at) for id_, name, role, joined_at in session.execute(theirs)]


def members_of(session: Session, family_id: str) -> list[FamilyMember]:
    """The people of a family, the longest-standing first. Ask `role_in` first whether the asker is one of them."""
    theirs = (
        select(FamilyMembership)
        .where(FamilyMembership.family_id == family_id)
        .order_by(FamilyMembership.joined_at, FamilyMembership.user_id)
    )
    of_family = select(FamilyMembership.user_id).where(FamilyMembership.family_id == family_id)
    profiles = {each.user_id: each for each in profiles_of(session, of_family)}
    found = session.execute(theirs).scalars()
    return [FamilyMember(profiles[each.user_id], each.role, each.joined_at) for each in found]
