"""The running nodes of a deployment, as far as the database knows.

Used on PostgreSQL only: the lock of the data directory allows one process on SQLite. Each node refreshes its row every
two seconds; one that was killed is forgotten soon after. All times are those of the database, because the clocks of the
nodes differ.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import BigInteger, Boolean, Connection, String, delete, func, inspect, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Id
from famichat.storage.upsert import insert_for

REFRESH_SECONDS = 2.0
ALIVE_SECONDS = 10
"""A node that has not refreshed its row for so long is not running."""

_NOW = func.clock_timestamp()


class Node(Base):
    """A process that serves this database.

    Attributes:
        id: new at each start.
        release: the version of Famichat.
        draining: whether it sends its clients away, because it stops.
        hearing: whether it receives the messages of the broker.
        misrouted_polls: how many long polls arrived here since its start although another node had their session.
        seen_at: when it last refreshed this row.
    """

    __tablename__ = "nodes"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    release: Mapped[str] = mapped_column(String(32))
    draining: Mapped[bool] = mapped_column(Boolean)
    hearing: Mapped[bool] = mapped_column(Boolean)
    misrouted_polls: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime] = mapped_column()


_ALIVE = Node.seen_at > _NOW - timedelta(seconds=ALIVE_SECONDS)


class Nodes(NamedTuple):
    """How many of the running nodes drain, and how many receive the messages of the broker."""

    draining: int
    hearing: int


def refresh(
    session: Session, node_id: str, release: str, *, draining: bool, hearing: bool, misrouted_polls: int
) -> Nodes:
    """Record that a node is running, forget those that are not, and count the others with it."""
    changing = {"draining": draining, "hearing": hearing, "misrouted_polls": misrouted_polls, "seen_at": _NOW}
    row = insert_for(session, Node).values(id=node_id, release=release, **changing)
    session.execute(row.on_conflict_do_update(index_elements=[Node.id], set_=changing))
    session.execute(delete(Node).where(~_ALIVE))
    counts = (func.count().filter(Node.draining), func.count().filter(Node.hearing))
    return Nodes(*session.execute(select(*counts).select_from(Node)).one())


def forget(session: Session, node_id: str) -> None:
    """Record that a node has stopped."""
    session.execute(delete(Node).where(Node.id == node_id))


def running_nodes(session: Session) -> Sequence[Node]:
    """Return the nodes that are running."""
    return session.execute(select(Node).where(_ALIVE).order_by(Node.id)).scalars().all()


def are_running(connection: Connection) -> bool:
    """Return whether any node is running. Before the first migration with this table, none is known."""
    if not inspect(connection).has_table(Node.__tablename__):
        return False
    return connection.execute(select(Node.id).where(_ALIVE).limit(1)).first() is not None
