"""Every name that somebody goes by, in the forms by which names are compared: what is here is nobody else's.

A username and a display name are in it alike, so nobody can be shown under a name that looks like how another one
signs in, nor the other way round. Who is first, the database decides.
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
    """A name of either kind."""

    @property
    def key(self) -> str:
        """How it is typed."""

    @property
    def look(self) -> str:
        """How it is drawn."""


class TakenName(Base):
    """One form of a name, and whose it is."""

    __tablename__ = "accounts_names"
    __table_args__ = (
        CheckConstraint("form IN ('key', 'look')", name="form"),
        CheckConstraint(f"length(name) BETWEEN 1 AND {MAX_FOLDED}", name="name_length"),
    )

    form: Mapped[Form] = mapped_column(String(4), primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_FOLDED), primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)


def take_names(session: Session, user_id: str, names: Collection[Comparable]) -> None:
    """Let somebody go by these names, and by no other from now on.

    Raises:
        IntegrityError: somebody else goes by one of them, or by one that looks like it; see `is_taken`.
    """
    wanted = {("key", name.key) for name in names} | {("look", name.look) for name in names}
    held = session.execute(select(TakenName).where(TakenName.user_id == user_id)).scalars().all()
    for each in held:
        if (each.form, each.name) not in wanted:
            session.delete(each)
    # In one order for everybody, so that two who want each other's name do not wait for each other.
    for form, name in sorted(wanted - {(each.form, each.name) for each in held}):
        session.add(TakenName(form=form, name=name, user_id=user_id))
    session.flush()


def is_taken(error: IntegrityError) -> bool:
    """Whether this is what the database says when a name is somebody else's."""
    # The first line names the columns on SQLite, the constraint on PostgreSQL; what follows may hold the name.
    first_line = str(error.orig).partition("\n")[0]
    return "accounts_names.form" in first_line or "pk_accounts_names" in first_line
