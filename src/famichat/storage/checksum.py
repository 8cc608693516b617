"""Row checksums (CRC-32), by which a damaged row is noticed when it is read, because SQLite does not notice it.

    class Message(Checked, Base): ...

The ORM computes the checksum of every row that it writes; statements that bypass the ORM pass `row_checksum` along. Not
covered are foreign keys that the database may set to null itself, and sealed values, which the vault authenticates. The
checksum detects accidents. It does not stop an attacker, who can compute it, too.
"""

import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from famichat.storage.crypto.sealed_columns import is_sealed

_CHECKSUM = "checksum"


class Checked:
    """A mixin for mapped classes that adds the column `checksum`."""

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
        return row.checksum is None or row.checksum == row_checksum(_values(record, row))
    except orjson.JSONEncodeError:  # SQLite stores any bytes in any column
        return False


def row_checksum(values: Mapping[str, Any]) -> int:
    """Return the checksum of a row.

    Args:
        values: the covered columns by name. Null values are left out, so a new nullable column changes no checksum.

    Raises:
        orjson.JSONEncodeError: a value is of a type that no column has.
    """
    # Canonical JSON: times are in UTC, and bytes are replaced by their own checksum.
    present = {
        name: zlib.crc32(value) if value.__class__ is bytes else value
        for name, value in values.items()
        if value is not None
    }
    return zlib.crc32(orjson.dumps(present, option=orjson.OPT_SORT_KEYS))


def _values(record: type[Any], row: Any) -> dict[str, Any]:
    columns, sealed = _covered(record.__mapper__)
    values = {name: getattr(row, name) for name in columns}
    # Of a sealed value only the presence is covered: re-encryption with a new vault key replaces it.
    return values | {name: getattr(row, name) is not None for name in sealed if is_sealed(record, row, name)}


@cache
def _covered(mapper: Mapper[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the covered columns of a mapped class, and those of them that may be sealed."""
    columns = [attribute for attribute in mapper.column_attrs if not _may_become_null(attribute.columns[0])]
    names = tuple(attribute.key for attribute in columns if attribute.key != _CHECKSUM)
    return names, tuple(each.key for each in columns if each.columns[0].info)


def _may_become_null(column: Any) -> bool:
    return any(key.ondelete == "SET NULL" for key in column.foreign_keys)


def _before_insert(mapper: Mapper[Any], _: Connection, row: Any) -> None:
    for attribute in mapper.column_attrs:
        default = attribute.columns[0].default
        if default is not None and getattr(row, attribute.key) is None:
            made: Any = default
            setattr(row, attribute.key, made.arg(None) if callable(made.arg) else made.arg)
    row.checksum = row_checksum(_values(type(row), row))


def _before_update(_: Mapper[Any], __: Connection, row: Any) -> None:
    row.checksum = row_checksum(_values(type(row), row))


event.listen(Checked, "before_insert", _before_insert, propagate=True)
event.listen(Checked, "before_update", _before_update, propagate=True)
