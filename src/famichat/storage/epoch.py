"""The database epoch, an id that changes when the database is restored from a backup.

A client stores `(epoch, last_seq)`. If the epoch has changed, its stored positions are meaningless and it must start
over.
"""

import base64
import hashlib
from typing import Final

from sqlalchemy import CheckConstraint, inspect, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, Id, new_id
from famichat.storage.prepared import Prepared


class DatabaseEpoch(Base):
    """The single row that holds the epoch.

    Attributes:
        epoch: changes with every restore.
        database_id: never changes, so that a data directory recognises its database.
    """

    __tablename__ = "history"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1, autoincrement=False)
    epoch: Mapped[str] = mapped_column(Id)
    began_at: Mapped[Created]
    database_id: Mapped[str] = mapped_column(Id, default=new_id)


# A restored database may be behind the devices. An MLS epoch must not be used twice, so each MLS group waits to be
# created again; key packages and Welcomes may have been used, and key shares received.
_AFTER_RESTORE: Final = (
    ("mls_groups", "UPDATE mls_groups SET epoch = NULL"),
    ("mls_welcomes", "DELETE FROM mls_welcomes"),
    ("key_packages", "DELETE FROM key_packages"),
    ("key_shares", "DELETE FROM key_shares"),
)


def current_epoch(session: Session) -> str:
    """Return the epoch of this database."""
    [(epoch,)] = _EPOCH.rows(session)
    return epoch


def database_id(session: Session) -> str:
    """Return the id of this database, which never changes; empty if its schema is older than the id."""
    columns = {column["name"] for column in inspect(session.connection()).get_columns(DatabaseEpoch.__tablename__)}
    if "database_id" not in columns:
        return ""
    return session.execute(select(DatabaseEpoch.database_id)).scalar_one()


def namespace(session: Session) -> str:
    """Return the name under which the nodes of this deployment find each other: 16 letters and digits.

    It differs after a restore, and for a copy of the database in another PostgreSQL server or under another name: such
    a copy has the same ids and keys, but must not exchange messages with the original.
    """
    parts = [database_id(session), current_epoch(session)]
    if session.get_bind().dialect.name == "postgresql":
        parts.append(str(session.execute(_DATABASE_OID).scalar_one()))
        if session.execute(_MAY_IDENTIFY_SERVER).scalar_one():  # some hosting services forbid it
            parts.append(str(session.execute(_SERVER_IDENTIFIER).scalar_one()))
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return base64.b32encode(digest)[:16].decode().lower()


def begin_new_epoch(session: Session) -> str:
    """Start a new epoch, as after a restore, and return it. Every client then starts over."""
    history = session.get_one(DatabaseEpoch, 1)
    history.epoch = new_id()
    for _, statement in _AFTER_RESTORE:
        session.execute(text(statement))
    return history.epoch


def new_epoch_script(epoch: str) -> str:
    """Return the SQL with which `psql` starts a new epoch, also in a database of an older schema."""
    script = f"UPDATE history SET epoch = '{epoch}';\n"  # noqa: S608 - an id  # nosec B608
    for table, statement in _AFTER_RESTORE:
        script += f"DO $$ BEGIN IF to_regclass('{table}') IS NOT NULL THEN {statement}; END IF; END $$;\n"
    return script


_EPOCH: Final = Prepared[str](select(DatabaseEpoch.epoch))
_DATABASE_OID: Final = text("SELECT oid FROM pg_database WHERE datname = current_database()")
_MAY_IDENTIFY_SERVER: Final = text("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")
_SERVER_IDENTIFIER: Final = text("SELECT system_identifier FROM pg_control_system()")
