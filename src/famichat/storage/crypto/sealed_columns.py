"""Registry of the encrypted columns. Each column declares itself as sealed where it is defined.

    body: Mapped[bytes] = mapped_column(LargeBinary, info=sealed_as("body", lambda message: message.id))

Key rotation uses it to find data encrypted with older keys. A test compares it with the models: every binary column is
either sealed or listed in that test as plain.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
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
    """A column whose values are encrypted at rest.

    Attributes:
        record: the mapped class.
        name: the attribute name.
        purpose: the vault purpose of its values.
        bound_to: computes the associated data (AAD, RFC 5116) of a row's value.
        unless: name of a boolean column that marks rows holding a client's own ciphertext instead.
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
        """The mapped column."""
        return getattr(self.record, self.name)

    @property
    def key(self) -> list[Any]:
        """The primary key columns."""
        return list(self.record.__mapper__.primary_key)

    def rows(self) -> Select[Any]:
        """Select the rows with a sealed value, in primary key order."""
        return select(self.record).where(self._is_sealed()).order_by(*self.key)

    def sealed_otherwise(self, version: int, after: tuple[Any, ...] | None) -> Select[Any]:
        """Select the rows after primary key `after` whose value is not encrypted with this key version."""
        rows = self.rows().where(func.substr(self.column, 1, _HEADER, type_=LargeBinary()) != header_of(version))
        if after is None:
            return rows
        place = [literal(value, column.type) for value, column in zip(after, self.key, strict=True)]
        return rows.where(tuple_(*self.key) > tuple_(*place))

    def count_by_version(self, session: Session) -> dict[int, int]:
        """Count the sealed values by key version."""
        header = func.substr(self.column, 2, _HEADER - 1, type_=LargeBinary())
        counted = session.execute(select(header, func.count()).where(self._is_sealed()).group_by(header))
        return {int.from_bytes(version): count for version, count in counted}

    def _is_sealed(self) -> ColumnElement[bool]:
        there: ColumnElement[bool] = self.column.is_not(None)
        return there if self.unless is None else and_(there, getattr(self.record, self.unless).is_(False))


def sealed_as(purpose: str, bound_to: Callable[[Any], str], *, unless: str | None = None) -> dict[str, Any]:
    """Declare a column as sealed; pass the result to `mapped_column` as its `info`.

    Args:
        purpose: the vault purpose of its values.
        bound_to: computes the associated data of a row's value.
        unless: name of a boolean column that marks rows holding a client's own ciphertext, which the vault skips.
    """
    return {_KEY: _Declaration(purpose, bound_to, unless)}


def is_sealed(record: type[Any], row: Any, name: str) -> bool:
    """Return whether the vault sealed this column of a row, which may hold a client's own ciphertext instead."""
    declared = _declaration(record, name)  # type: ignore[arg-type]  # mypy does not know that classes are hashable
    return declared is not None and (declared.unless is None or not getattr(row, declared.unless))


@cache
def _declaration(record: type[Any], name: str) -> _Declaration | None:
    declared: _Declaration | None = record.__mapper__.columns[name].info.get(_KEY)
    return declared


def sealed_columns() -> list[SealedColumn]:
    """Return all sealed columns of all imported models, in a stable order.

    `messages` comes before `message_edits`: a body that an edit moves from one to the other during a walk is found in
    at least one of them.
    """
    return sorted(_declared(), key=str, reverse=True)


def _declared() -> Iterator[SealedColumn]:
    for mapper in Base.registry.mappers:
        for attribute in mapper.column_attrs:
            found = attribute.columns[0].info.get(_KEY)
            if found is not None:
                yield SealedColumn(mapper.class_, attribute.key, found.purpose, found.bound_to, found.unless)
