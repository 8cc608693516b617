"""The roster of an MLS group compared with the participants of its conversation.

`chat.journal.statements.NEEDS_COMMIT` defines the two roster rules. Membership and devices change without regard to MLS
groups: whoever sends next reconciles the roster.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import and_, bindparam, exists, select, text
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.chat.errors import EpochChanged
from famichat.chat.journal.statements import MLS_PROTOCOL, NEEDS_COMMIT, Roster
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.mls import MlsLeaf
from famichat.chat.records.participant import Participant
from famichat.e2ee.device_keys import DeviceKeys
from famichat.e2ee.envelope import Envelope
from famichat.storage.base import Id, now

SEEN_WITHIN = timedelta(days=30)
"""A device that was not seen for so long does not delay the creation of an MLS group."""

_ROSTER: Final = text(
    f"SELECT g.generation, g.epoch, {NEEDS_COMMIT} AS needs_commit FROM mls_groups g "  # noqa: S608 - constants only  # nosec B608
    "WHERE g.conversation_id = :conversation_id"
).bindparams(bindparam("conversation_id", type_=Id))


@dataclass(frozen=True, slots=True)
class MemberDevice:
    """A signed device of a participant."""

    user_id: str
    device_id: str
    signature_key: bytes


def roster_of(session: Session, conversation_id: str) -> Roster | None:
    """Return the state of a conversation's MLS group; None if it has none."""
    row = session.execute(_ROSTER, {"conversation_id": conversation_id}).one_or_none()
    return None if row is None else Roster(row.generation, row.epoch, bool(row.needs_commit))


def epoch_changed(session: Session, conversation_id: str) -> EpochChanged:
    """Return the error that tells a device the current epoch."""
    roster = roster_of(session, conversation_id)
    if roster is None:
        return EpochChanged(generation=None, epoch=None, needs_commit=True)
    return EpochChanged(generation=roster.generation, epoch=roster.epoch, needs_commit=roster.needs_commit)


def require_current(session: Session, conversation: Conversation, device_id: str, envelope: Envelope) -> None:
    """Check an edit or a reaction as the journal checks messages: it is of the current epoch, and the roster is right.

    Raises:
        EpochChanged: it is not. A conversation without an MLS group accepts everything.
    """
    if not conversation.encryption_required:
        return
    roster = roster_of(session, conversation.id)
    if roster is None:
        return
    is_leaf = exists().where(MlsLeaf.conversation_id == conversation.id, MlsLeaf.device_id == device_id)
    if (
        roster.needs_commit
        or (envelope.protocol, envelope.key_id) != (MLS_PROTOCOL, roster.key_id)
        or not session.execute(select(is_leaf)).scalar_one()
    ):
        raise epoch_changed(session, conversation.id)


def leaves_of(session: Session, conversation_id: str) -> dict[int, MlsLeaf]:
    """Return the leaves of a conversation's MLS group, by index."""
    leaves = select(MlsLeaf).where(MlsLeaf.conversation_id == conversation_id).order_by(MlsLeaf.leaf_index)
    return {leaf.leaf_index: leaf for leaf in session.execute(leaves).scalars()}


def stale_leaves(session: Session, conversation_id: str) -> list[int]:
    """Return the indexes of the leaves that break R1, of former participants and of devices that are signed out."""
    current = (
        select(MlsLeaf.leaf_index)
        .join(
            Participant,
            and_(
                Participant.conversation_id == MlsLeaf.conversation_id,
                Participant.user_id == MlsLeaf.user_id,
            ),
        )
        .join(
            Device,
            and_(Device.id == MlsLeaf.device_id, Device.user_id == MlsLeaf.user_id, Device.revoked_at.is_(None)),
        )
        .where(MlsLeaf.conversation_id == conversation_id)
    )
    stale = select(MlsLeaf.leaf_index).where(
        MlsLeaf.conversation_id == conversation_id, MlsLeaf.leaf_index.not_in(current)
    )
    return list(session.execute(stale.order_by(MlsLeaf.leaf_index)).scalars())


def member_devices(session: Session, conversation_id: str) -> list[MemberDevice]:
    """Return the signed devices of the participants that are signed in, oldest first."""
    devices = (
        select(DeviceKeys.user_id, DeviceKeys.device_id, DeviceKeys.signature_key)
        .join(Device, and_(Device.id == DeviceKeys.device_id, Device.revoked_at.is_(None)))
        .join(Participant, Participant.user_id == DeviceKeys.user_id)
        .where(Participant.conversation_id == conversation_id, DeviceKeys.certificate.is_not(None))
        .order_by(DeviceKeys.device_id)
    )
    return [MemberDevice(*row) for row in session.execute(devices)]


def missing_devices(session: Session, conversation_id: str) -> list[MemberDevice]:
    """Return the signed devices of the participants that have no leaf."""
    present = {leaf.device_id for leaf in leaves_of(session, conversation_id).values()}
    return [each for each in member_devices(session, conversation_id) if each.device_id not in present]


def waiting_for(session: Session, conversation: Conversation) -> list[str]:
    """Return the participants who are not ready for an MLS group, in the order of their ids; empty if all are.

    A participant is ready if all devices that were seen in the last 30 days have published keys and, if there are any,
    one device is signed. In a direct conversation, both participants need a signed device.
    """
    signed = {each.user_id for each in member_devices(session, conversation.id)}
    recent = and_(
        Device.user_id == Participant.user_id,
        Device.revoked_at.is_(None),
        Device.last_seen_at > now() - SEEN_WITHIN,
    )
    devices = (
        select(Participant.user_id, Device.id, DeviceKeys.device_id)
        .outerjoin(Device, recent)
        .outerjoin(DeviceKeys, DeviceKeys.device_id == Device.id)
        .where(Participant.conversation_id == conversation.id)
    )
    waiting = set()
    rows: Iterable[Any] = session.execute(devices)  # the outer joins make the last two columns optional
    for user_id, device_id, published_id in rows:
        without_keys = device_id is not None and published_id is None
        needs_signed = device_id is not None or conversation.type == "direct"
        if without_keys or (needs_signed and user_id not in signed):
            waiting.add(user_id)
    return sorted(waiting)
