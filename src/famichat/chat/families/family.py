"""Families and their members. `membership` adds and removes members."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.profile import Profile, profiles_of, take_names_in_family
from famichat.chat.conversations.rename import checked_name
from famichat.chat.errors import NotAdmin, NotFound
from famichat.chat.records.family import Family, FamilyMembership, FamilyRole
from famichat.storage.base import is_id, new_id
from famichat.storage.checksum import DAMAGED_NAME, are_intact, require_intact


@dataclass(frozen=True, slots=True)
class UserFamily:
    """A family as one of its members sees it: with that member's role."""

    family_id: str
    name: str
    role: FamilyRole
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class FamilyMember:
    """A member of a family, with the profile."""

    profile: Profile
    role: FamilyRole
    joined_at: datetime

    @property
    def user_id(self) -> str:
        """The id of the member."""
        return self.profile.user_id

    @property
    def username(self) -> str:
        """The name with which the member signs in."""
        return self.profile.username


def needs_setup(session: Session) -> bool:
    """Return whether the server has no family yet."""
    return session.execute(select(Family.id).limit(1)).scalar_one_or_none() is None


def create_family(session: Session, name: str, creator_id: str) -> Family:
    """Create a family with its creator as the first admin.

    Raises:
        InvalidName: see `checked_name`.
    """
    family = Family(id=new_id(), name=checked_name(name))
    session.add(family)
    session.flush()
    session.add(FamilyMembership(family_id=family.id, user_id=creator_id, role="admin"))
    session.flush()
    take_names_in_family(session, creator_id, family.id)
    return family


def role_in(session: Session, family_id: str, user_id: str) -> FamilyRole:
    """Return the user's role in a family.

    Raises:
        NotFound: the user is not a member, or the family does not exist (indistinguishable to outsiders).
        DataDamaged: the membership is damaged.
    """
    membership = session.get(FamilyMembership, (family_id, user_id)) if is_id(family_id) and is_id(user_id) else None
    if membership is None:
        raise NotFound
    require_intact(membership)
    return membership.role


def require_admin(session: Session, family_id: str, user_id: str) -> None:
    """Check that a user is an admin of a family.

    Raises:
        NotFound: the user does not belong to the family.
        NotAdmin: the user is a plain member.
    """
    if role_in(session, family_id, user_id) != "admin":
        raise NotAdmin


def require_admin_of_member(session: Session, actor_id: str, family_id: str, user_id: str) -> None:
    """Check that the actor is an admin of a family, and the user one of its members.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    require_admin(session, family_id, actor_id)
    role_in(session, family_id, user_id)


def families_of(session: Session, user_id: str) -> list[UserFamily]:
    """Return the families of a user, the one joined first at the beginning, without damaged memberships."""
    memberships = (
        select(Family, FamilyMembership)
        .join(FamilyMembership)
        .where(FamilyMembership.user_id == user_id)
        .order_by(FamilyMembership.joined_at, Family.id)
    )
    return [
        UserFamily(family.id, shown_name(family), membership.role, membership.joined_at)
        for family, membership in session.execute(memberships)
        if are_intact(membership)
    ]


def shown_name(family: Family) -> str:
    """Return the name of a family; a damaged one is not shown."""
    return family.name if are_intact(family) else DAMAGED_NAME


def members_of(session: Session, family_id: str) -> list[FamilyMember]:
    """Return the members of a family, the longest-standing first, without damaged memberships.

    The caller checks the permission (see `role_in`).
    """
    memberships = (
        select(FamilyMembership)
        .where(FamilyMembership.family_id == family_id)
        .order_by(FamilyMembership.joined_at, FamilyMembership.user_id)
    )
    of_family = select(FamilyMembership.user_id).where(FamilyMembership.family_id == family_id)
    profiles = {each.user_id: each for each in profiles_of(session, of_family)}
    rows = session.execute(memberships).scalars()
    return [FamilyMember(profiles[each.user_id], each.role, each.joined_at) for each in rows if are_intact(each)]
