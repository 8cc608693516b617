"""Notified positions: up to which message (`seq`) a device has been notified of a conversation.

A notification is claimed in one statement before it is sent, so that of several nodes one sends it. The claim is
confirmed when the push service has answered. Until then its node renews it; a claim that is neither confirmed nor
renewed belongs to a node that stopped or crashed, and another one takes it over.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ForeignKey, delete, exists, select, tuple_, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.device import Device
from famichat.chat.records.receipt import Receipt
from famichat.storage.base import Base, Id, partial_index
from famichat.storage.upsert import insert_for

MAX_READ = 8
"""How many conversations one notification can report as read: its size is limited."""

Claim = tuple[str, str]
"""The ids of a device and of a conversation."""
ClaimedSeq = tuple[str, str, int]
"""A claim and the `seq` of its message."""


class UnconfirmedClaim(NamedTuple):
    """A claim whose notification is being sent, or was when its node stopped; see `NotifiedPosition`."""

    device_id: str
    conversation_id: str
    seq: int
    sending_since: datetime


class NotifiedPosition(Base):
    """All messages of a conversation up to `notified_seq` need no further notification on this device.

    `sending_since` is the time of the claim or of its last renewal; null if the claim is confirmed, or if a tab showed
    the notification.
    """

    __tablename__ = "push_positions"
    __table_args__ = (
        # A partial index: few notifications are being sent, and the others are not in it.
        partial_index("ix_push_positions_sending_since", "sending_since", where="sending_since IS NOT NULL"),
    )

    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    notified_seq: Mapped[int] = mapped_column(BigInteger)
    sending_since: Mapped[datetime | None]


_KEY = NotifiedPosition.device_id, NotifiedPosition.conversation_id, NotifiedPosition.notified_seq
_NO_OBJECTS = {"synchronize_session": False}  # sessions hold no positions


def claim(session: Session, positions: Iterable[ClaimedSeq], sending_since: datetime | None = None) -> set[Claim]:
    """Advance the positions, and return those that advanced; the others were claimed before.

    Args:
        session: the transaction.
        positions: device id, conversation id and `seq`; each pair of ids at most once.
        sending_since: the time, if the caller is going to send notifications and confirm the claims.
    """
    rows = [
        {
            "device_id": device_id,
            "conversation_id": conversation_id,
            "notified_seq": seq,
            "sending_since": sending_since,
        }
        for device_id, conversation_id, seq in sorted(positions)  # one order on all nodes avoids deadlocks
    ]
    if not rows:
        return set()
    insert = insert_for(session, NotifiedPosition).values(rows)
    statement = insert.on_conflict_do_update(
        index_elements=["device_id", "conversation_id"],
        set_={"notified_seq": insert.excluded.notified_seq, "sending_since": sending_since},
        where=insert.excluded.notified_seq > NotifiedPosition.notified_seq,
    ).returning(NotifiedPosition.device_id, NotifiedPosition.conversation_id)
    return {(device_id, conversation_id) for device_id, conversation_id in session.execute(statement)}


def set_sending(session: Session, claims: Iterable[ClaimedSeq], since: datetime | None) -> None:
    """Renew unconfirmed claims, or confirm them if `since` is None. Skips those that a later message replaced."""
    unconfirmed = tuple_(*_KEY).in_(sorted(claims)), NotifiedPosition.sending_since.is_not(None)
    statement = update(NotifiedPosition).where(*unconfirmed).values(sending_since=since)
    session.execute(statement, execution_options=_NO_OBJECTS)


def unconfirmed_claims(session: Session, limit: int) -> set[UnconfirmedClaim]:
    """Return the unconfirmed claims of all nodes: of more than `limit`, those that were not renewed for longest."""
    query: Any = select(*_KEY, NotifiedPosition.sending_since).where(NotifiedPosition.sending_since.is_not(None))
    found = session.execute(query.order_by(NotifiedPosition.sending_since).limit(limit))
    return {UnconfirmedClaim(*each) for each in found}


def take_over(session: Session, claims: Iterable[UnconfirmedClaim], moment: datetime) -> set[ClaimedSeq]:
    """Renew those claims that have not been confirmed or renewed meanwhile, and return them."""
    unchanged = tuple_(*_KEY, NotifiedPosition.sending_since).in_(sorted(claims))
    statement = update(NotifiedPosition).where(unchanged).values(sending_since=moment).returning(*_KEY)
    return {
        (device_id, conversation_id, seq)
        for device_id, conversation_id, seq in session.execute(statement, execution_options=_NO_OBJECTS)
    }


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
