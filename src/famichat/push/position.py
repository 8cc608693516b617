"""Notified positions: up to which message (`seq`) a device has been notified of a conversation.

A notification is claimed in one statement before it is sent, so that several nodes, or a node after a restart, send it
at most once. If the server crashes between the claim and the request, this notification is lost, and the message is
not.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import BigInteger, ForeignKey, delete, exists, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.device import Device
from famichat.chat.records.receipt import Receipt
from famichat.storage.base import Base, Id
from famichat.storage.upsert import insert_for

MAX_READ = 8
"""How many conversations one notification can report as read: its size is limited."""

Claim = tuple[str, str]
"""The ids of a device and of a conversation."""


class NotifiedPosition(Base):
    """All messages of a conversation up to `notified_seq` need no further notification on this device."""

    __tablename__ = "push_positions"

    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    notified_seq: Mapped[int] = mapped_column(BigInteger)


def claim(session: Session, positions: Iterable[tuple[str, str, int]]) -> set[Claim]:
    """Advance the positions, and return those that advanced; the others were claimed before.

    Args:
        session: the transaction.
        positions: device id, conversation id and `seq`; each pair of ids at most once.
    """
    rows = [
        {"device_id": device_id, "conversation_id": conversation_id, "notified_seq": seq}
        for device_id, conversation_id, seq in sorted(positions)  # one order on all nodes avoids deadlocks
    ]
    if not rows:
        return set()
    insert = insert_for(session, NotifiedPosition).values(rows)
    statement = insert.on_conflict_do_update(
        index_elements=["device_id", "conversation_id"],
        set_={"notified_seq": insert.excluded.notified_seq},
        where=insert.excluded.notified_seq > NotifiedPosition.notified_seq,
    ).returning(NotifiedPosition.device_id, NotifiedPosition.conversation_id)
    return {(device_id, conversation_id) for device_id, conversation_id in session.execute(statement)}


def take_read(session: Session, device_ids: Collection[str]) -> dict[str, list[str]]:
    """Delete positions whose messages the user has read, and return their conversations by device.

    The devices may still show notifications of these conversations. Nothing is announced twice: messages that were
    read cause no notification.
    """
    read = exists().where(
        Receipt.conversation_id == NotifiedPosition.conversation_id,
        Receipt.user_id == Device.user_id,
        Receipt.read_seq >= NotifiedPosition.notified_seq,
    )
    query = (
        select(NotifiedPosition.device_id, NotifiedPosition.conversation_id)
        .join(Device, Device.id == NotifiedPosition.device_id)
        .where(NotifiedPosition.device_id.in_(device_ids), read)
        .order_by(NotifiedPosition.device_id, NotifiedPosition.conversation_id)
    )
    taken: dict[str, list[str]] = {}
    for device_id, conversation_id in session.execute(query):
        if len(found := taken.setdefault(device_id, [])) < MAX_READ:
            found.append(conversation_id)
    keys = [(device_id, each) for device_id, found in taken.items() for each in found]
    if keys:
        key = tuple_(NotifiedPosition.device_id, NotifiedPosition.conversation_id)
        session.execute(delete(NotifiedPosition).where(key.in_(keys)))
    return taken
