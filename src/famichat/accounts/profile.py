"""How a person is shown to others: name, colour and picture of that person's choice, or what stands for them.

change_profile(session, maja_id, {"display_name": parse_display_name("Mum")})
profile_of(session, maja_id).shown_name     # "Mum"
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from sqlalchemy import ForeignKey, LargeBinary, Select, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.errors import DisplayNameTaken
from famichat.accounts.names.display_name import DisplayName
from famichat.accounts.names.taken_names import is_taken, take_names
from famichat.accounts.names.username import parse_username
from famichat.accounts.user import Color, User
from famichat.storage.base import Base, Id, PrimaryKey, new_id, now
from famichat.storage.crypto.sealed_columns import sealed_as
from famichat.storage.crypto.vault import Vault

PICTURE_PURPOSE = "profile_picture"
Part = Literal["display_name", "color", "picture"]


class ProfilePicture(Base):
    """A person's picture, small and square. A new one has a new id, so whatever is kept under an id stays true."""

    __tablename__ = "accounts_pictures"

    id: Mapped[PrimaryKey]
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary, info=sealed_as(PICTURE_PURPOSE, lambda picture: picture.id))


@dataclass(frozen=True, slots=True)
class Profile:
    """A person, as others see this person."""

    user_id: str
    username: str
    display_name: str | None
    color: Color | None
    picture_id: str | None

    @property
    def shown_name(self) -> str:
        """What this person is called."""
        return self.display_name or self.username


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """A profile as it is now, and what of it has become different."""

    profile: Profile
    parts: frozenset[Part]


class ProfileChange(TypedDict, total=False):
    """What is to be different; None takes back what was chosen."""

    display_name: DisplayName | None
    color: Color | None


def profile_of(session: Session, user_id: str) -> Profile:
    """How somebody is shown."""
    [profile] = profiles_of(session, [user_id])
    return profile


def profiles_of(session: Session, user_ids: Collection[str] | Select[Any]) -> list[Profile]:
    """How these people are shown, those who are here longest first; who is deleted is not shown at all."""
    theirs = (
        select(User.id, User.username, User.display_name, User.color, ProfilePicture.id)
        .outerjoin(ProfilePicture, ProfilePicture.user_id == User.id)
        .where(User.id.in_(user_ids), User.deleted_at.is_(None))
        .order_by(User.id)
    )
    return [Profile(*row) for row in session.execute(theirs)]


def change_profile(session: Session, user_id: str, change: ProfileChange) -> ProfileResult:
    """Be shown under another name, or in another colour; what is left out stays as it is.

    Raises:
        DisplayNameTaken: somebody else goes by this name, or by one that looks like it.
    """
    before = _held(session, user_id)
    if "display_name" in change:
        _show_as(session, user_id, change["display_name"])
    if "color" in change:
        session.get_one(User, user_id).color = change["color"]
    return _changed(session, before)


def set_avatar(session: Session, user_id: str, picture: bytes, vault: Vault) -> ProfileResult:
    """Be shown with this picture, in the place of the one before."""
    before = _held(session, user_id)
    _forget_picture(session, user_id)
    picture_id = new_id()
    sealed = vault.seal(PICTURE_PURPOSE, picture, picture_id)
    session.add(ProfilePicture(id=picture_id, user_id=user_id, sealed=sealed))
    return _changed(session, before)


def remove_avatar(session: Session, user_id: str) -> ProfileResult:
    """Be shown without a picture."""
    before = _held(session, user_id)
    _forget_picture(session, user_id)
    return _changed(session, before)


def avatar_of(session: Session, user_id: str, picture_id: str, vault: Vault) -> bytes | None:
    """A picture of somebody; None if it is not the one that this person is shown with.

    Raises:
        UnsealError: it was damaged.
    """
    found = session.get(ProfilePicture, picture_id)
    if found is None or found.user_id != user_id:
        return None
    return vault.open(PICTURE_PURPOSE, found.sealed, found.id)


def _held(session: Session, user_id: str) -> Profile:
    """How somebody is shown, to be changed: another change of the same person waits, or begins anew."""
    session.execute(update(User).where(User.id == user_id).values(updated_at=now()))
    return profile_of(session, user_id)


def _show_as(session: Session, user_id: str, name: DisplayName | None) -> None:
    user = session.get_one(User, user_id)
    user.display_name = None if name is None else name.shown
    username = parse_username(user.username)
    try:
        take_names(session, user_id, [username] if name is None else [username, name])
    except IntegrityError as error:
        if is_taken(error):
            raise DisplayNameTaken from error
        raise


def _forget_picture(session: Session, user_id: str) -> None:
    session.execute(delete(ProfilePicture).where(ProfilePicture.user_id == user_id))


def _changed(session: Session, before: Profile) -> ProfileResult:
    session.flush()
    after = profile_of(session, before.user_id)
    parts: dict[Part, bool] = {
        "display_name": after.display_name != before.display_name,
        "color": after.color != before.color,
        "picture": after.picture_id != before.picture_id,
    }
    return ProfileResult(after, frozenset(part for part, is_other in parts.items() if is_other))
