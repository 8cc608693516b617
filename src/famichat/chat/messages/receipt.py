"""Receipts: the positions up to which a device has received a conversation, and its user has read it."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import and_, case, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from famichat.accounts.device import Device
from famichat.accounts.user import User
from famichat.chat.access import Access
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.schema import ReceiptView
from famichat.chat.records.participant import Participant
from famichat.chat.records.receipt import Receipt
from famichat.storage.base import now
from famichat.storage.upsert import insert_for

Status = Literal["delivered", "read"]


@dataclass(frozen=True, slots=True)
class Position:
    """The receipt of one device: all messages up to these positions (`seq`) were received and read."""

    user_id: str
    device_id: str
    delivered_seq: int
    read_seq: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The position of a device after an acknowledgement. `moved` is False if it did not advance."""

    position: Position
    moved: bool


def acknowledge(
    session: Session, access: Access, device_id: str, seq: int, status: Status, *, attended: bool = True
) -> Acknowledged:
    """Record that a device has received, or its user has read, all messages up to `seq`. Positions never move back.

    Args:
        session: the transaction.
        access: the conversation and the member.
        device_id: a device of the member.
        seq: the position of an existing message.
        status: `delivered` or `read`; reading implies receiving.
        attended: whether the device needs no notification of these messages, because its user is looking at the app.

    Raises:
        InvalidMessage: there is no message at this position.
    """
    if not 1 <= seq <= access.conversation.last_seq:
        raise InvalidMessage(field="seq")
    advanced = session.execute(_advance(session, access, device_id, seq, status, attended=attended)).one_or_none()
    if advanced is not None:
        return Acknowledged(Position(*advanced), moved=True)
    if attended:
        session.execute(_attend(access.conversation.id, device_id, seq))
    return Acknowledged(_position(session, access.conversation.id, device_id), moved=False)


def positions(session: Session, access: Access) -> list[ReceiptView]:
    """Return the receipts of the devices of all current members, as the member of `access` may see them.

    For users who have turned read receipts off, `read_seq` is 0 for everyone but themselves.
    """
    read_is_public = or_(User.read_notices, Receipt.user_id == access.user_id)
    read_seq = case((read_is_public, Receipt.read_seq), else_=0)
    query = (
        select(Receipt.user_id, Receipt.device_id, Receipt.delivered_seq, read_seq, Device.kind)
        .join(User, User.id == Receipt.user_id)
        .join(Device, Device.id == Receipt.device_id)
        .join(
            Participant,
            and_(Participant.conversation_id == Receipt.conversation_id, Participant.user_id == Receipt.user_id),
        )
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
        for user_id, device_id, delivered_seq, read_seq, kind in session.execute(query)
    ]


_POSITION = (Receipt.user_id, Receipt.device_id, Receipt.delivered_seq, Receipt.read_seq)


def _advance(session: Session, access: Access, device_id: str, seq: int, status: Status, *, attended: bool) -> Any:
    """Build the upsert, which returns a row only if a position advanced.

    It is a single statement, because reading a position and writing it back could undo a concurrent acknowledgement.
    """
    insert = insert_for(session, Receipt).values(
        conversation_id=access.conversation.id,
        device_id=device_id,
        user_id=access.user_id,
        delivered_seq=seq,
        read_seq=seq if status == "read" else 0,
        attended_seq=seq if attended else 0,
    )
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[Receipt.conversation_id, Receipt.device_id],
        set_={
            "delivered_seq": _maximum(new.delivered_seq, Receipt.delivered_seq),
            "read_seq": _maximum(new.read_seq, Receipt.read_seq),
            "attended_seq": _maximum(new.attended_seq, Receipt.attended_seq),
            "updated_at": now(),
        },
        where=or_(new.delivered_seq > Receipt.delivered_seq, new.read_seq > Receipt.read_seq),
    ).returning(*_POSITION)


def _attend(conversation_id: str, device_id: str, seq: int) -> Any:
    """Build the update for a tab that acknowledges in the foreground after one in the background.

    The upsert must not advance for `attended_seq` alone: an advance is announced to other users.
    """
    receipt = (Receipt.conversation_id == conversation_id) & (Receipt.device_id == device_id)
    return update(Receipt).where(receipt, Receipt.attended_seq < seq).values(attended_seq=seq)


def _maximum(new: Any, stored: InstrumentedAttribute[int]) -> Any:
    return case((new > stored, new), else_=stored)


def _position(session: Session, conversation_id: str, device_id: str) -> Position:
    row = select(*_POSITION).where(Receipt.conversation_id == conversation_id, Receipt.device_id == device_id)
    return Position(*session.execute(row).one())
