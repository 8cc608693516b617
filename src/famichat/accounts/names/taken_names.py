"""The usernames and display names in use, in the forms by which names are compared. Each form is unique.

Both kinds of names share one table, so that no display name looks like another user's username, nor the other way
round. If two users choose the same name at once, the database decides.
"""

from collections.abc import Collection
from typing import Literal, Protocol

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.names.username import MAX_FOLDED
from famichat.storage.base import Base, Id

Form = Literal["key", "look"]


class Comparable(Protocol):
    """A username or a display name."""

    @property
    def key(self) -> str:
        """The name as it is typed, folded."""

    @property
    def look(self) -> str:
        """The name as it looks, folded."""


class TakenName(Base):
    """One form of a name, and its user."""

    __tablename__ = "accounts_names"
    __table_args__ = (
        CheckConstraint("form IN ('key', 'look')", name="form"),
        CheckConstraint(f"length(name) BETWEEN 1 AND {MAX_FOLDED}", name="name_length"),
    )

    form: Mapped[Form] = mapped_column(String(4), primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_FOLDED), primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)


def take_names(session: Session, user_id: str, names: Collection[Comparable]) -> None:
    """Reserve these names for a user, and release the user's other names.

    Raises:
        IntegrityError: another user has one of them, or one that looks like it; see `is_taken`.
    """
    wanted = {("key", name.key) for name in names} | {("look", name.look) for name in names}
    held = session.execute(select(TakenName).where(TakenName.user_id == user_id)).scalars().all()
    for each in held:
        if (each.form, each.name) not in wanted:
            session.delete(each)
    # Always in the same order, so that two users who swap names do not deadlock.
    for form, name in sorted(wanted - {(each.form, each.name) for each in held}):
        session.add(TakenName(form=form, name=name, user_id=user_id))
    session.flush()


def is_taken(error: IntegrityError) -> bool:
    """Return whether this is the database's error for a name that another user has."""
    # The first line names the columns (SQLite) or the constraint (PostgreSQL); later lines may contain the name.
    first_line = str(error.orig).partition("\n")[0]
    return "accounts_names.form" in first_line or "pk_accounts_names" in first_line
