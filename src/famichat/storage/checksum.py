"""Row checksums (CRC-32), by which a damaged row is noticed when it is read, because SQLite does not notice it.

    class Message(Checked, Base): ...

The ORM computes the checksum of every row that it writes; statements that bypass the ORM pass `row_checksum` along, or
change no covered column. Not covered are foreign keys that the database may set to null itself, columns that every
update sets, sealed values, which the vault authenticates, and the columns in `Checked.unchecked`. The checksum detects
accidents. It does not stop an attacker, who can compute it, too.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar

import orjson
from sqlalchemy import BigInteger, Connection, event, inspect
from sqlalchemy.orm import LoaderCallableStatus, Mapped, Mapper, mapped_column

from famichat.storage.crypto.sealed_columns import is_sealed
from famichat.storage.errors import DataDamaged
from famichat.telemetry import emit, events

DAMAGED_NAME = "?"
"""The name that is shown instead of a damaged one."""
_CHECKSUM = "checksum"


class Checked:
    """A mixin for mapped classes that adds the column `checksum`.

    Attributes:
        unchecked: the columns that the checksum does not cover, such as those that SQL statements update in bulk.
    """

    unchecked: ClassVar[frozenset[str]] = frozenset()
    checksum: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def is_intact(self) -> bool:
        """Whether the row is as it was written. Rows without a checksum count as intact."""
        return is_intact(type(self), self)


def is_intact(record: type[Checked], row: Any) -> bool:
    """Return whether a row of a mapped class is as it was written. Rows without a checksum count as intact.

    Args:
        record: the mapped class.
        row: an instance of it, or any object with the same attributes.
    """
    try:
        return row.checksum is None or row.checksum == _checksum_of(record, row)
    except orjson.JSONEncodeError:  # SQLite stores any bytes in any column
        return False


def are_intact(*rows: Checked | None) -> bool:
    """Return whether rows, of which some may be missing, are as they were written, and report the first that is not."""
    damaged = next((row for row in rows if row is not None and not row.is_intact), None)
    if damaged is not None:
        emit(events.RowDamaged(table=str(inspect(damaged).mapper.local_table)))
    return damaged is None


def require_intact(*rows: Checked | None) -> None:
    """Check that rows, of which some may be missing, are as they were written.

    Raises:
        DataDamaged: one is not.
    """
    if not are_intact(*rows):
        raise DataDamaged


def insert_values(row: Checked) -> dict[str, Any]:
    """Return all columns of a new row, with their defaults and the checksum, for an INSERT that bypasses the ORM."""
    mapper = inspect(row).mapper
    _complete(mapper, row)
    return {attribute.key: getattr(row, attribute.key) for attribute in mapper.column_attrs}


def covered_columns(record: type[Checked]) -> list[Any]:
    """Return the columns that `is_intact` compares: those covered, and the checksum."""
    return [getattr(record, name) for name in (*_covered(inspect(record)).names, _CHECKSUM)]


def row_checksum(values: Mapping[str, Any]) -> int:
    """Return the checksum of a row.

    Args:
        values: the covered columns by name. Null values are left out, so a new nullable column changes no checksum.

    Raises:
        orjson.JSONEncodeError: a value is of a type that no column has.
    """
    return _checksum(_present(values.items()))


def _checksum_of(record: type[Any], row: Any) -> int:
    covered = _covered(record.__mapper__)
    present = _present(zip(covered.names, covered.values(row), strict=True))
    for name in covered.sealed:
        # Of a sealed value only the presence is covered: re-encryption with a new vault key replaces it.
        if is_sealed(record, row, name):
            present[name] = name in present
    return _checksum(present)


def _present(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    # Bytes are replaced by their own checksum.
    return {
        name: zlib.crc32(value) if value.__class__ is bytes else value for name, value in values if value is not None
    }


def _checksum(present: dict[str, Any]) -> int:
    # Canonical JSON: times are in UTC.
    return zlib.crc32(orjson.dumps(present, option=orjson.OPT_SORT_KEYS))


@dataclass(frozen=True, slots=True)
class _Covered:
    """The covered columns of a mapped class.

    Attributes:
        names: of all.
        sealed: those of them that may be sealed.
        values: returns the values of all of a row, in the same order.
    """

    names: tuple[str, ...]
    sealed: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]


@cache
def _covered(mapper: Mapper[Any]) -> _Covered:
    uncovered = {_CHECKSUM, *mapper.class_.unchecked}
    columns = [
        attribute
        for attribute in mapper.column_attrs
        if attribute.key not in uncovered and not _changes_by_itself(attribute.columns[0])
    ]
    names = tuple(attribute.key for attribute in columns)
    return _Covered(names, tuple(each.key for each in columns if each.columns[0].info), attrgetter(*names))


def _changes_by_itself(column: Any) -> bool:
    return column.onupdate is not None or any(key.ondelete == "SET NULL" for key in column.foreign_keys)


def _complete(mapper: Mapper[Any], row: Any) -> None:
    for attribute in mapper.column_attrs:
        default = attribute.columns[0].default
        if default is not None and getattr(row, attribute.key) is None:
            made: Any = default
            setattr(row, attribute.key, made.arg(None) if callable(made.arg) else made.arg)
    row.checksum = _checksum_of(type(row), row)


def _before_insert(mapper: Mapper[Any], _: Connection, row: Any) -> None:
    _complete(mapper, row)


def _before_update(_: Mapper[Any], __: Connection, row: Any) -> None:
    # A damaged row keeps its checksum: a new one would declare the damaged values to be right.
    if is_intact(type(row), _Loaded(row)):
        row.checksum = _checksum_of(type(row), row)


class _Loaded:
    """The values of a changed row as they were loaded."""

    def __init__(self, row: Any) -> None:
        self._row = row
        before = inspect(row).committed_state
        # A value that was replaced without having been loaded cannot be compared.
        is_known = not any(isinstance(value, LoaderCallableStatus) for value in before.values())
        self._before = before if is_known else {_CHECKSUM: None}

    def __getattr__(self, name: str) -> Any:
        return self._before[name] if name in self._before else getattr(self._row, name)


event.listen(Checked, "before_insert", _before_insert, propagate=True)
event.listen(Checked, "before_update", _before_update, propagate=True)
