"""A receipt: how far one device has received, and its person read, a conversation."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import case, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from famichat.accounts.device import Device
from famichat.accounts.user import User
from famichat.chat.access import Access
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.schema import ReceiptView
from famichat.chat.records.receipt import Receipt
from famichat.storage.base import now
from famichat.storage.upsert import insert_for

Status = Literal["delivered", "read"]


@dataclass(frozen=True, slots=True)
class Position:
    """How far one device is in a conversation."""

    user_id: str
    device_id: str
    delivered_seq: int
    read_seq: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Where a device stands after it said how far it is. `moved` is False when it had been as far already."""

    position: Position
    moved: bool


def acknowledge(session: Session, access: Access, device_id: str, seq: int, status: Status) -> Acknowledged:
    """Let a device say that it has received, or its person read, everything up to `seq`. It never moves back.

    Args:
        session: the transaction.
        access: whose device, and in which conversation.
        device_id: the device, which is this person's.
        seq: the place of a message.
        status: what happened up to there; whoever has read has received.

    Raises:
        InvalidMessage: there is no message at this place.
    """
    if not 1 <= seq <= access.conversation.last_seq:
        raise InvalidMessage(field="seq")
    further = session.execute(_move(session, access, device_id, seq, status)).one_or_none()
    if further is not None:
        return Acknowledged(Position(*further), moved=True)
    return Acknowledged(_position(session, access.conversation.id, device_id), moved=False)


def positions(session: Session, access: Access) -> list[ReceiptView]:
    """How far every device is that ever said so, as far as the person of `access` may know.

    Of those who do not tell others what they have read, it is what they have received.
    """
    told = or_(User.read_notices, Receipt.user_id == access.user_id)
    shown = case((told, Receipt.read_seq), else_=0)
    theirs = (
        select(Receipt.user_id, Receipt.device_id, Receipt.delivered_seq, shown, Device.kind)
        .join(User, User.id == Receipt.user_id)
        .join(Device, Device.id == Receipt.device_id)
        .where(Receipt.conversation_id == access.conversation.id)
        .order_by(Receipt.device_id)
    )
    return [
        {
            "user_id": user_id,
            "device_id": device_id,
            "device_kind": kind,
            "delivered_seq": delivered_seq,
            "read_seq": read_seq,
        }
        for user_id, device_id, delivered_seq, read_seq, kind in session.execute(theirs)
    ]


_POSITION = (Receipt.user_id, Receipt.device_id, Receipt.delivered_seq, Receipt.read_seq)


def _move(session: Session, access: Access, device_id: str, seq: int, status: Status) -> Any:
    """One statement, so that two acknowledgements at once cannot undo each other; it gives a row only if it moved."""
    insert = insert_for(session, Receipt).values(
        conversation_id=access.conversation.id,
        device_id=device_id,
        user_id=access.user_id,
        delivered_seq=seq,
        read_seq=seq if status == "read" else 0,
    )
    further = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[Receipt.conversation_id, Receipt.device_id],
        set_={
            "delivered_seq": _further(further.delivered_seq, Receipt.delivered_seq),
            "read_seq": _further(further.read_seq, Receipt.read_seq),
            "updated_at": now(),
        },
        where=or_(further.delivered_seq > Receipt.delivered_seq, further.read_seq > Receipt.read_seq),
    ).returning(*_POSITION)


def _further(given: Any, kept: InstrumentedAttribute[int]) -> Any:
    return case((given > kept, given), else_=kept)


def _position(session: Session, conversation_id: str, device_id: str) -> Position:
    row = select(*_POSITION).where(Receipt.conversation_id == conversation_id, Receipt.device_id == device_id)
    return Position(*session.execute(row).one())
