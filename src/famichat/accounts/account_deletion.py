"""Erasing an account. Only its id remains, which messages and the audit log refer to."""

from collections.abc import Iterator

from sqlalchemy import column, delete, inspect, select, table, update
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.user import User
from famichat.storage.access_removal import record_deleted_user
from famichat.storage.base import Id, now

# Rows that many messages refer to: deleted afterwards, in batches (`chat.account_deletion.delete_orphans`).
_DELETED_LATER = {Device.__tablename__, "conversations"}
# Like messages, reactions were sent to other people, and clients expect a change number for each change.
_KEPT = {"message_reactions"}
_NOTHING = "-"


def erase_account(session: Session, user_id: str) -> None:
    """Erase all data of a user, and free the username and the e-mail address.

    The row stays, empty, because messages and the audit log refer to it. Everything else behaves as if the row had been
    deleted: rows that refer to it or to one of its devices are deleted or cleared as their foreign key says (ON DELETE
    CASCADE, SET NULL). A new table therefore needs no change here. `chat.account_deletion.delete_account` checks first
    whether the user may leave.

    Args:
        session: the transaction; it removes access, so it must run between two batches of the journal.
        user_id: the user.
    """
    for name, key, rule in _references(session, User.__tablename__):
        user_table = table(name, column(key, Id))
        if rule == "CASCADE" and name not in _DELETED_LATER | _KEPT:
            session.execute(delete(user_table).where(user_table.c[key] == user_id))
        elif rule == "SET NULL":
            session.execute(update(user_table).where(user_table.c[key] == user_id).values({key: None}))
    _erase_devices(session, user_id)
    emptied = dict.fromkeys(each.name for each in User.__table__.columns if each.nullable)
    session.execute(update(User).where(User.id == user_id).values({**emptied, "deleted_at": now()}))
    session.expire_all()


def _erase_devices(session: Session, user_id: str) -> None:
    devices = select(Device.id).where(Device.user_id == user_id)
    for name, key, rule in _references(session, Device.__tablename__):
        user_table = table(name, column(key, Id))
        if rule == "CASCADE":
            session.execute(delete(user_table).where(user_table.c[key].in_(devices)))
    session.execute(
        update(Device).where(Device.user_id == user_id).values(name=_NOTHING, revoked_at=now(), checksum=None)
    )
    record_deleted_user(session, user_id)


def _references(session: Session, to: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield each column that refers to a table, with its table and its ON DELETE rule."""
    for (_, name), keys in inspect(session.connection()).get_multi_foreign_keys().items():
        for key in keys:
            if key["referred_table"] == to:
                yield str(name), key["constrained_columns"][0], key["options"].get("ondelete")
