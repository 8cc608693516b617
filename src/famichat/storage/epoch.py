"""Which history this database tells: an epoch that a restore from a backup changes.

A client keeps `(epoch, last_seq)`. When the epoch is another one, positions it remembers mean nothing here any more,
and it must start over.
"""

from sqlalchemy import CheckConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, Id, new_id


class DatabaseEpoch(Base):
    """The one row that names this history."""

    __tablename__ = "history"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1, autoincrement=False)
    epoch: Mapped[str] = mapped_column(Id)
    began_at: Mapped[Created]


def current_epoch(session: Session) -> str:
    """The epoch of this database."""
    return session.execute(select(DatabaseEpoch.epoch)).scalar_one()


def begin_new_epoch(session: Session) -> str:
    """Name a new history, as after a restore; every client starts over."""
    history = session.get_one(DatabaseEpoch, 1)
    history.epoch = new_id()
    return history.epoch
