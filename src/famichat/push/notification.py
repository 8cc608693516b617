"""Selects the devices to notify about a message and builds their payloads, as each recipient's preferences allow.

For an end-to-end encrypted message, or in a conversation that requires encryption, a notification only says that there
is a new message.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NotRequired

from sqlalchemy import Row, and_, bindparam, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased
from typing_extensions import TypedDict  # pydantic needs this TypedDict on Python 3.11

from famichat.accounts.device import Device
from famichat.accounts.profile import profiles_of
from famichat.chat.access import is_visible
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import message_views
from famichat.chat.records.conversation import Conversation, ConversationType
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.chat.records.receipt import Receipt
from famichat.push.position import Claim, ClaimedSeq, NotifiedPosition
from famichat.push.preferences import Content, PushPreferences, StoredPushPreferences, preferences_in
from famichat.push.subscription import PushSubscription
from famichat.storage.base import first_id_at, now
from famichat.storage.crypto.vault import Vault
from famichat.storage.prepared import Prepared

_MAX_BODY = 500


class NotificationPayload(TypedDict):
    """What a device shows about a new message, as far as the user's preferences allow.

    `read` lists other conversations whose notifications the device should close, because the user has read them.
    """

    kind: Literal["message"]
    conversation_id: str
    conversation_type: ConversationType
    message_id: str
    seq: int
    content: Content
    sender_id: NotRequired[str]
    sender: NotRequired[str | None]
    conversation_name: NotRequired[str | None]
    body: NotRequired[str]
    read: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification about one message for one device.

    Attributes:
        user_id: the recipient.
        device_id: the device.
        message: the message.
        record: the device's subscription.
        payload: what the device shows.
    """

    user_id: str
    device_id: str
    message: MessageView
    record: PushSubscription
    payload: NotificationPayload

    @property
    def claim(self) -> Claim:
        """The key of the position that this notification advances."""
        return self.device_id, self.message["conversation_id"]

    @property
    def claimed_seq(self) -> ClaimedSeq:
        """The claim and the position that it advances to."""
        return *self.claim, self.message["seq"]


def notices(
    session: Session,
    messages: Sequence[MessageView],
    policies: EncryptionPolicies,
    claimed_by: Collection[str] | None = None,
) -> list[Notification]:
    """Return the notifications to send for these messages, in the current state of the database.

    Excluded are the sender, recipients who have read the message on any device, have muted or archived the
    conversation, have quiet hours now or have left the conversation, devices that acknowledged the message in the
    foreground, were notified of it, subscribed after it or are signed out, and messages deleted meanwhile.

    Args:
        session: a read transaction.
        messages: the messages.
        policies: encryption policies of the conversation types.
        claimed_by: devices whose notifications are claimed: restrict the result to them, and ignore their claims.
    """
    moment = now()
    rows: dict[str, list[Row[Any]]] = {}
    ids = {"conversation_ids": list({message["conversation_id"] for message in messages}), "moment": moment}
    found = (
        session.execute(_DEVICES, ids)
        if claimed_by is None
        else session.execute(_CLAIMED_DEVICES, {**ids, "device_ids": list(claimed_by)})
    )
    for row in found:
        rows.setdefault(row.Participant.conversation_id, []).append(row)
    if not rows:
        return []
    messages = _without_deleted(session, messages)
    names = _names(session, {message["user_id"] for message in messages})
    return [
        Notification(
            row.Participant.user_id,
            row.PushSubscription.device_id,
            message,
            row.PushSubscription,
            _payload(message, row, names, policies),
        )
        for message in messages
        for row in rows.get(message["conversation_id"], [])
        if _concerns(message, row, claimed=claimed_by is not None)
        and not preferences_in(row.StoredPushPreferences).is_quiet(moment)
    ]


def recent_messages(session: Session, vault: Vault, since: datetime, until: datetime, limit: int) -> list[MessageView]:
    """Return the messages that were stored in a period, oldest first, at most the newest `limit`."""
    between = (Message.id >= first_id_at(since)) & (Message.id < first_id_at(until))
    found = session.execute(select(Message).where(between).order_by(Message.id.desc()).limit(limit)).scalars()
    return message_views(session, list(found)[::-1], vault)


def claimed_notices(
    session: Session, vault: Vault, claims: Collection[ClaimedSeq], policies: EncryptionPolicies
) -> list[Notification]:
    """Return the claimed notifications that are still to be sent, in the current state of the database."""
    positions = {(conversation_id, seq) for _, conversation_id, seq in claims}
    query = select(Message).where(tuple_(Message.conversation_id, Message.seq).in_(sorted(positions)))
    messages = message_views(session, session.execute(query).scalars().all(), vault)
    found = notices(session, messages, policies, claimed_by={device_id for device_id, *_ in claims})
    return [each for each in found if each.claimed_seq in claims]


def encoded_payload(payload: Mapping[str, Any]) -> bytes:
    """Return the JSON of a payload."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _without_deleted(session: Session, messages: Sequence[MessageView]) -> list[MessageView]:
    deleted = {id_ for (id_,) in _DELETED.rows(session, ids=[message["message_id"] for message in messages])}
    return [message for message in messages if message["message_id"] not in deleted]


def _devices() -> Any:
    user_read = (
        select(func.max(Receipt.read_seq))
        .where(Receipt.conversation_id == Participant.conversation_id, Receipt.user_id == Participant.user_id)
        .scalar_subquery()
    )
    own = aliased(Receipt)
    return (
        select(
            Participant,
            Conversation,
            PushSubscription,
            StoredPushPreferences,
            func.coalesce(user_read, 0).label("read_seq"),
            func.coalesce(own.attended_seq, 0).label("attended_seq"),
            func.coalesce(NotifiedPosition.notified_seq, 0).label("notified_seq"),
        )
        .join(Conversation, Conversation.id == Participant.conversation_id)
        .join(Device, and_(Device.user_id == Participant.user_id, Device.revoked_at.is_(None)))
        .join(PushSubscription, PushSubscription.device_id == Device.id)
        .outerjoin(StoredPushPreferences, StoredPushPreferences.user_id == Participant.user_id)
        .outerjoin(own, and_(own.conversation_id == Participant.conversation_id, own.device_id == Device.id))
        .outerjoin(
            NotifiedPosition,
            and_(
                NotifiedPosition.conversation_id == Participant.conversation_id,
                NotifiedPosition.device_id == Device.id,
            ),
        )
        .where(
            Participant.conversation_id.in_(bindparam("conversation_ids", expanding=True)),
            Participant.archived_at.is_(None),
            or_(Participant.muted_until.is_(None), Participant.muted_until <= bindparam("moment")),
        )
    )


def _names(session: Session, user_ids: set[str]) -> dict[str, str]:
    return {profile.user_id: profile.shown_name for profile in profiles_of(session, user_ids)}


def _concerns(message: MessageView, row: Row[Any], *, claimed: bool) -> bool:
    participant, seq = row.Participant, message["seq"]
    if not participant.is_intact:
        return False
    if participant.user_id == message["user_id"] or not is_visible(seq, participant.visible_from_seq):
        return False
    if datetime.fromisoformat(message["inserted_at"]) < row.PushSubscription.created_at:
        return False
    return bool(seq > max(row.read_seq, row.attended_seq, 0 if claimed else row.notified_seq))


def _payload(
    message: MessageView, row: Row[Any], names: dict[str, str], policies: EncryptionPolicies
) -> NotificationPayload:
    talk: Conversation = row.Conversation
    chosen: PushPreferences = preferences_in(row.StoredPushPreferences)
    sealed = message["encryption_flag"] or (
        policies.status(talk.type, required_once=talk.encryption_required) == "enabled"
    )
    content: Content = "none" if sealed else chosen.content
    payload: NotificationPayload = {
        "kind": "message",
        "conversation_id": talk.id,
        "conversation_type": talk.type,
        "message_id": message["message_id"],
        "seq": message["seq"],
        "content": content,
    }
    if content != "none":
        payload["sender_id"] = message["user_id"]
        payload["sender"] = names.get(message["user_id"])
        payload["conversation_name"] = talk.name if talk.is_intact else None
    if content == "full" and message["message_type"] == "text" and message["body"] is not None:
        payload["body"] = _shortened(message["body"])
    return payload


def _shortened(text: str) -> str:
    """Return a text of at most `_MAX_BODY` characters. An ellipsis shows that there is more."""
    return text if len(text) <= _MAX_BODY else f"{text[: _MAX_BODY - 1]}…"


# Building these queries takes longer than executing them.
_DEVICES: Final = _devices()
_CLAIMED_DEVICES: Final = _DEVICES.where(Device.id.in_(bindparam("device_ids", expanding=True)))
_DELETED: Final = Prepared[str](
    select(Message.id).where(Message.id.in_(bindparam("ids", expanding=True)), Message.deleted_at.is_not(None))
)
