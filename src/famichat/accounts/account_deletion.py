"""What is left of an account that was deleted: an id, by which messages and the ledger know who it was."""

from collections.abc import Iterator

from sqlalchemy import column, delete, inspect, select, table, update
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.user import User
from famichat.storage.access_removal import mark_access_removed
from famichat.storage.base import Id, now

# Rows on which many messages hang: they go afterwards, bit by bit (`chat.farewell.forget_remains`).
_LATER = {Device.__tablename__, "conversations"}
# Reactions are said to others, as messages are, and each change of them has a number that clients wait for.
_KEPT = {"message_reactions"}
_NOTHING = "-"


def erase_account(session: Session, user_id: str) -> None:
    """Take everything about a person out of the database, and free the name and the address for somebody else.

    The row stays, empty, because messages and the ledger refer to it. With all else it is as if it had gone: what
    refers to it, or to a device of that person, goes too or forgets it, as its foreign key says (ON DELETE CASCADE, SET
    NULL). So a new table needs no word here. Ask first whether the person may go: `chat.farewell.delete_account`.
    """
    for name, key, rule in _references(session, User.__tablename__):
        theirs = table(name, column(key, Id))
        if rule == "CASCADE" and name not in _LATER | _KEPT:
            session.execute(delete(theirs).where(theirs.c[key] == user_id))
        elif rule == "SET NULL":
            session.execute(update(theirs).where(theirs.c[key] == user_id).values({key: None}))
    _erase_devices(session, user_id)
    emptied = dict.fromkeys(each.name for each in User.__table__.columns if each.nullable)
    session.execute(update(User).where(User.id == user_id).values({**emptied, "deleted_at": now()}))
    session.expire_all()


def _erase_devices(session: Session, user_id: str) -> None:
    devices = select(Device.id).where(Device.user_id == user_id)
    mark_access_removed(session)
    for name, key, rule in _references(session, Device.__tablename__):
        theirs = table(name, column(key, Id))
        if rule == "CASCADE":
            session.execute(delete(theirs).where(theirs.c[key].in_(devices)))
    session.execute(update(Device).where(Device.user_id == user_id).values(name=_NOTHING, revoked_at=now()))


def _references(session: Session, to: str) -> Iterator[tuple[str, str, str | None]]:
    """Every column that refers to a table, and what is to happen when a row of it goes."""
    for (_, name), keys in inspect(session.connection()).get_multi_foreign_keys().items():
        for key in keys:
            if key["referred_table"] == to:
                yield str(name), key["constrained_columns"][0], key["options"].get("ondelete")
