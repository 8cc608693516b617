"""Profiles: the display name, color and avatar that other people see.

change_profile(session, maja_id, {"display_name": parse_display_name("Mum")})
profile_of(session, maja_id).shown_name     # "Mum"
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from sqlalchemy import ForeignKey, LargeBinary, Select, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.errors import DisplayNameTaken, NameTakenInFamily
from famichat.accounts.names.display_name import DisplayName, parse_display_name
from famichat.accounts.names.taken_names import is_taken, take_names
from famichat.accounts.names.username import parse_username
from famichat.accounts.user import Color, User
from famichat.storage.base import Base, Id, PrimaryKey, new_id, now
from famichat.storage.checksum import DAMAGED_NAME, covered_columns, is_intact
from famichat.storage.crypto.sealed_columns import sealed_as
from famichat.storage.crypto.vault import Vault
from famichat.telemetry import emit, events

PICTURE_PURPOSE = "profile_picture"
Part = Literal["display_name", "color", "picture"]


class ProfilePicture(Base):
    """A user's avatar, small and square. A new avatar gets a new id, so clients can cache an id forever."""

    __tablename__ = "accounts_pictures"

    id: Mapped[PrimaryKey]
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary, info=sealed_as(PICTURE_PURPOSE, lambda picture: picture.id))


@dataclass(frozen=True, slots=True)
class Profile:
    """A user, as other people see them."""

    user_id: str
    username: str
    display_name: str | None
    color: Color | None
    picture_id: str | None

    @property
    def shown_name(self) -> str:
        """The name to show: the display name, or the username."""
        return self.display_name or self.username


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """A profile after a change, and the parts that changed."""

    profile: Profile
    parts: frozenset[Part]


class ProfileChange(TypedDict, total=False):
    """The fields to change; None clears one."""

    display_name: DisplayName | None
    color: Color | None


def profile_of(session: Session, user_id: str) -> Profile:
    """Return a user's profile."""
    [profile] = profiles_of(session, [user_id])
    return profile


def profiles_of(session: Session, user_ids: Collection[str] | Select[Any]) -> list[Profile]:
    """Return the profiles of these users, oldest account first, without deleted accounts and damaged names."""
    statement = (
        select(*covered_columns(User), ProfilePicture.id.label("picture_id"))
        .outerjoin(ProfilePicture, ProfilePicture.user_id == User.id)
        .where(User.id.in_(user_ids), User.deleted_at.is_(None))
        .order_by(User.id)
    )
    return [_profile(row) for row in session.execute(statement)]


def change_profile(session: Session, user_id: str, change: ProfileChange) -> ProfileResult:
    """Change a user's display name or color.

    Args:
        session: the transaction.
        user_id: the user.
        change: the fields to change.

    Raises:
        DisplayNameTaken: another member of a family of the user has this name, or one that looks like it.
    """
    before = _locked(session, user_id)
    if "display_name" in change:
        _set_display_name(session, user_id, change["display_name"])
    if "color" in change:
        session.get_one(User, user_id).color = change["color"]
    return _result(session, before)


def take_names_in_family(session: Session, user_id: str, family_id: str) -> None:
    """Reserve a user's names in a family that the user joins in this transaction.

    Raises:
        NameTakenInFamily: another member has the username or the display name, or one that looks like it.
    """
    _locked(session, user_id)
    user = session.get_one(User, user_id, populate_existing=True)
    name = None if user.display_name is None else parse_display_name(user.display_name)
    try:
        _take_names(session, user, name, joining=family_id)
    except DisplayNameTaken as error:
        raise NameTakenInFamily from error


def set_avatar(session: Session, user_id: str, picture: bytes, vault: Vault) -> ProfileResult:
    """Set a user's avatar, a small WebP image. Replaces the previous one."""
    before = _locked(session, user_id)
    _delete_avatar(session, user_id)
    picture_id = new_id()
    sealed = vault.seal(PICTURE_PURPOSE, picture, picture_id)
    session.add(ProfilePicture(id=picture_id, user_id=user_id, sealed=sealed))
    return _result(session, before)


def remove_avatar(session: Session, user_id: str) -> ProfileResult:
    """Delete a user's avatar."""
    before = _locked(session, user_id)
    _delete_avatar(session, user_id)
    return _result(session, before)


def avatar_of(session: Session, user_id: str, picture_id: str, vault: Vault) -> bytes | None:
    """Return an image; None if it is not the user's current avatar.

    Raises:
        UnsealError: it was damaged.
    """
    found = session.get(ProfilePicture, picture_id)
    if found is None or found.user_id != user_id:
        return None
    return vault.open(PICTURE_PURPOSE, found.sealed, found.id)


def _profile(row: Any) -> Profile:
    if is_intact(User, row):
        return Profile(row.id, row.username, row.display_name, row.color, row.picture_id)
    emit(events.RowDamaged(table=User.__tablename__))
    return Profile(row.id, DAMAGED_NAME, None, None, row.picture_id)


def _locked(session: Session, user_id: str) -> Profile:
    """Lock a user's profile until the commit, and return it. A concurrent change waits or runs again."""
    session.execute(update(User).where(User.id == user_id).values(updated_at=now()))
    return profile_of(session, user_id)


def _set_display_name(session: Session, user_id: str, name: DisplayName | None) -> None:
    user = session.get_one(User, user_id)
    user.display_name = None if name is None else name.shown
    _take_names(session, user, name)


def _take_names(session: Session, user: User, name: DisplayName | None, joining: str | None = None) -> None:
    username = parse_username(user.username)
    try:
        take_names(session, user.id, [username] if name is None else [username, name], joining)
    except IntegrityError as error:
        if is_taken(error):
            raise DisplayNameTaken from error
        raise


def _delete_avatar(session: Session, user_id: str) -> None:
    session.execute(delete(ProfilePicture).where(ProfilePicture.user_id == user_id))


def _result(session: Session, before: Profile) -> ProfileResult:
    session.flush()
    after = profile_of(session, before.user_id)
    parts: dict[Part, bool] = {
        "display_name": after.display_name != before.display_name,
        "color": after.color != before.color,
        "picture": after.picture_id != before.picture_id,
    }
    return ProfileResult(after, frozenset(part for part, is_other in parts.items() if is_other))
