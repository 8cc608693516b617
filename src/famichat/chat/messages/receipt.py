"""Receipts: the positions up to which a device has received a conversation, and its user has read it."""

from typing import Final, Literal

from sqlalchemy import and_, bindparam, case, or_, select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device, DeviceKind
from famichat.accounts.user import User
from famichat.chat.access import Access
from famichat.chat.messages.schema import ReceiptView
from famichat.chat.records.participant import Participant
from famichat.chat.records.receipt import Receipt
from famichat.storage.prepared import Prepared

Status = Literal["delivered", "read"]


def positions(session: Session, access: Access) -> list[ReceiptView]:
    """Return the receipts of the devices of all current members, as the member of `access` may see them.

    For users who have turned read receipts off, `read_seq` is 0 for everyone but themselves.
    """
    found = _POSITIONS.rows(session, conversation_id=access.conversation.id, reader_id=access.user_id)
    return [
        {
            "user_id": user_id,
            "device_id": device_id,
            "device_kind": kind,
            "delivered_seq": delivered_seq,
            "read_seq": read_seq,
        }
        for user_id, device_id, delivered_seq, read_seq, kind in found
    ]


_READ_IS_PUBLIC: Final = or_(User.read_notices, Receipt.user_id == bindparam("reader_id"))
_POSITIONS: Final = Prepared[str, str, int, int, DeviceKind | None](
    select(
        Receipt.user_id,
        Receipt.device_id,
        Receipt.delivered_seq,
        case((_READ_IS_PUBLIC, Receipt.read_seq), else_=0),
        Device.kind,
    )
    .join(User, User.id == Receipt.user_id)
    .join(Device, Device.id == Receipt.device_id)
    .join(
        Participant,
        and_(Participant.conversation_id == Receipt.conversation_id, Participant.user_id == Receipt.user_id),
    )
    .where(Receipt.conversation_id == bindparam("conversation_id"))
    .order_by(Receipt.device_id)
)
