"""Frequent reads: queries that are compiled once, and executed by the database's driver.

    _EPOCH: Final = Prepared(select(DatabaseEpoch.epoch))
    _EPOCH.rows(session)

SQLAlchemy needs 40 to 140 µs to execute a small query, even one that it has compiled before, and SQLite 2 to 8 µs to
answer it. The rows are tuples of columns, never entities, so only what is read and not changed is read this way.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVarTuple

from sqlalchemy import Connection, Dialect, SelectBase
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

Columns = TypeVarTuple("Columns")
Convert = Callable[[Any], Any]


class Prepared(Generic[*Columns]):
    """A query with named parameters.

    Args:
        query: selects columns. A list of values is passed as an expanding parameter.
    """

    def __init__(self, query: SelectBase) -> None:
        self._query = query
        # Compiling takes milliseconds; a plan for further lengths of the lists a hundredth of that.
        self._compiled = lru_cache(maxsize=8)(self._compile)
        self._plan = lru_cache(maxsize=64)(self._plan_for)

    def rows(self, session: Session, **values: Any) -> list[tuple[*Columns]]:
        """Return all rows for these parameters, in the transaction of the session.

        Raises:
            DBAPIError: the driver's exception, as SQLAlchemy raises it.
        """
        session.flush()
        connection = session.connection()
        lengths = tuple((name, len(value)) for name, value in values.items() if isinstance(value, list))
        plan = self._plan(connection.dialect, lengths)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(plan.sql, plan.parameters(values))
            rows = cursor.fetchall()
        except connection.dialect.loaded_dbapi.Error as error:
            raise _wrapped(error, connection, plan.sql) from error
        finally:
            cursor.close()
        return plan.converted(rows)

    def _compile(self, dialect: Dialect) -> Any:
        return self._query.compile(dialect=dialect)

    def _plan_for(self, dialect: Dialect, lengths: tuple[tuple[str, int], ...]) -> "_Plan":
        compiled = self._compiled(dialect)
        examples: dict[str, Any] = {name: [None] * length for name, length in lengths}
        state = compiled.construct_expanded_state({**compiled.params, **examples})
        converters = {
            name: convert
            for name, parameter in compiled.binds.items()
            if (convert := _implementation(parameter.type, dialect).bind_processor(dialect)) is not None
        }
        results = [
            _implementation(column.type, dialect).result_processor(dialect, None)
            for column in self._query.selected_columns
        ]
        return _Plan(
            sql=state.statement,
            constants={name: value for name, value in compiled.params.items() if name not in examples},
            expanded={name: tuple(state.parameter_expansion.get(name, ())) for name in examples},
            order=None if state.positiontup is None else tuple(state.positiontup),
            converters=converters,
            results=[(place, convert) for place, convert in enumerate(results) if convert is not None],
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """A compiled query, for lists of certain lengths.

    Attributes:
        sql: the statement.
        constants: the values of the parameters that the query itself contains, by name.
        expanded: the names of the elements of each list.
        order: the names of the parameters in their order; None if the driver wants them by name.
        converters: convert values for the driver, by the name of the parameter.
        results: convert values from the driver, with the places of their columns.
    """

    sql: str
    constants: Mapping[str, Any]
    expanded: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...] | None
    converters: Mapping[str, Convert]
    results: list[tuple[int, Convert]]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return the parameters as the driver wants them."""
        named = dict(self._elements({**self.constants, **values}))
        return named if self.order is None else tuple(named[name] for name in self.order)

    def _elements(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in values.items():
            convert = self.converters.get(name, _unchanged)
            if name in self.expanded:
                yield from zip(self.expanded[name], map(convert, value), strict=True)
            else:
                yield name, convert(value)

    def converted(self, rows: Any) -> list[Any]:
        """Return rows of the driver with the values that SQLAlchemy would give."""
        if not (self.results and rows):
            return list(rows)
        columns: list[Any] = list(zip(*rows, strict=True))
        for place, convert in self.results:
            columns[place] = map(convert, columns[place])
        return list(zip(*columns, strict=True))


def _implementation(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return type_.dialect_impl(dialect)


def _unchanged(value: Any) -> Any:
    return value


def _wrapped(error: Any, connection: Connection, sql: str) -> BaseException:
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if lost:
        connection.invalidate(error)
    wrapped: BaseException = DBAPIError.instance(
        sql,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
    return wrapped
