"""Which columns are sealed: each says so where it is declared, and this is the one table of them all.

    body: Mapped[bytes] = mapped_column(LargeBinary, info=sealed_as("body", lambda message: message.id))

New keys find by it what older ones have sealed. A test holds it to the models: a column of bytes that is not in it
must be in the test's own list of those that are not sealed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Select, and_, func, literal, select, tuple_
from sqlalchemy.orm import Session

from famichat.storage.base import Base
from famichat.storage.crypto.vault import header_of

_KEY = "sealed"
_HEADER = 3


@dataclass(frozen=True, slots=True)
class _Declaration:
    purpose: str
    bound_to: Callable[[Any], str]
    unless: str | None


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose values are sealed.

    Attributes:
        record: the class of its rows.
        name: what it is called there.
        purpose: under which its values are sealed.
        bound_to: what a row's value is bound to.
        unless: a column that says of a row that it holds somebody's own ciphertext instead.
    """

    record: type[Any]
    name: str
    purpose: str
    bound_to: Callable[[Any], str]
    unless: str | None

    def __str__(self) -> str:
        return f"{self.record.__tablename__}.{self.name}"

    @property
    def column(self) -> Any:
        """The column itself."""
        return getattr(self.record, self.name)

    @property
    def key(self) -> list[Any]:
        """The columns by which a row is known."""
        return list(self.record.__mapper__.primary_key)

    def rows(self) -> Select[Any]:
        """The rows that hold something sealed, in the order of their keys."""
        return select(self.record).where(self._is_sealed()).order_by(*self.key)

    def sealed_otherwise(self, version: int, after: tuple[Any, ...] | None) -> Select[Any]:
        """The rows, after one of them, whose value was not sealed with the key of this version."""
        rows = self.rows().where(func.substr(self.column, 1, _HEADER, type_=LargeBinary()) != header_of(version))
        if after is None:
            return rows
        place = [literal(value, column.type) for value, column in zip(after, self.key, strict=True)]
        return rows.where(tuple_(*self.key) > tuple_(*place))

    def count_by_version(self, session: Session) -> dict[int, int]:
        """How many values each key has sealed."""
        header = func.substr(self.column, 2, _HEADER - 1, type_=LargeBinary())
        counted = session.execute(select(header, func.count()).where(self._is_sealed()).group_by(header))
        return {int.from_bytes(version): count for version, count in counted}

    def _is_sealed(self) -> ColumnElement[bool]:
        there: ColumnElement[bool] = self.column.is_not(None)
        return there if self.unless is None else and_(there, getattr(self.record, self.unless).is_(False))


def sealed_as(purpose: str, bound_to: Callable[[Any], str], *, unless: str | None = None) -> dict[str, Any]:
    """Declare a column to be sealed: give this to `mapped_column` as its `info`.

    Args:
        purpose: under which its values are sealed.
        bound_to: what the value of a row is bound to.
        unless: the column that says of a row that it is somebody's own ciphertext, which the vault leaves alone.
    """
    return {_KEY: _Declaration(purpose, bound_to, unless)}


def sealed_columns() -> list[SealedColumn]:
    """All of them, of all records that are known to this program, in an order that stays.

    `messages` comes before `message_edits`: what an edit moves from one to the other while somebody walks through
    them is met in the one or in the other.
    """
    return sorted(_declared(), key=str, reverse=True)


def _declared() -> Iterator[SealedColumn]:
    for mapper in Base.registry.mappers:
        for attribute in mapper.column_attrs:
            found = attribute.columns[0].info.get(_KEY)
            if found is not None:
                yield SealedColumn(mapper.class_, attribute.key, found.purpose, found.bound_to, found.unless)
