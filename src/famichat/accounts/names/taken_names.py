"""The usernames and display names of the members of each family, in the forms by which names are compared.

Each form is unique in a family. Both kinds of names share one table, so that no display name looks like the username
of another member, nor the other way round. If two users choose the same name at once, the database decides. Families
do not affect each other, so a display name reveals nothing about the members of other families. Usernames are unique
on the whole server as well: see `user.py`.
"""

from collections.abc import Collection
from itertools import product
from typing import Literal, Protocol

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, String, select
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
    """One form of a name, and the member of the family who has it. The row is deleted with the membership."""

    __tablename__ = "family_member_names"
    __table_args__ = (
        ForeignKeyConstraint(
            ["family_id", "user_id"],
            ["family_memberships.family_id", "family_memberships.user_id"],
            name="fk_family_member_names_member",
            ondelete="CASCADE",
        ),
        CheckConstraint("form IN ('key', 'look')", name="form"),
        CheckConstraint(f"length(name) BETWEEN 1 AND {MAX_FOLDED}", name="name_length"),
    )

    family_id: Mapped[str] = mapped_column(Id, primary_key=True)
    form: Mapped[Form] = mapped_column(String(4), primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_FOLDED), primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, index=True)


def take_names(session: Session, user_id: str, names: Collection[Comparable], joining: str | None = None) -> None:
    """Reserve these names for a user in each of the user's families, and release the user's other names.

    Args:
        session: the transaction; it has locked the user's row.
        user_id: the user.
        names: the username, and the display name if the user has one.
        joining: the id of a family whose member the user has become in this transaction.

    Raises:
        IntegrityError: another member of a family has one of them, or one that looks like it; see `is_taken`.
    """
    held = session.execute(select(TakenName).where(TakenName.user_id == user_id)).scalars().all()
    taken = {(each.family_id, each.form, each.name): each for each in held}
    # A member has a username, and therefore a row in each family.
    families = {each.family_id for each in held} | ({joining} if joining else set())
    wanted: set[tuple[str, Form, str]] = set()
    for family_id, name in product(families, names):
        wanted |= {(family_id, "key", name.key), (family_id, "look", name.look)}
    for released in taken.keys() - wanted:
        session.delete(taken[released])
    # Always in the same order, so that two users who swap names do not deadlock.
    for family_id, form, shape in sorted(wanted - taken.keys()):
        session.add(TakenName(family_id=family_id, form=form, name=shape, user_id=user_id))
    session.flush()


def is_taken(error: IntegrityError) -> bool:
    """Return whether this is the database's error for a name that another member has."""
    # The first line names the columns (SQLite) or the constraint (PostgreSQL); later lines may contain the name.
    first_line = str(error.orig).partition("\n")[0]
    return "family_member_names.form" in first_line or "pk_family_member_names" in first_line
