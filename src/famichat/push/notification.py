"""Selects the devices to notify about a message and builds their payloads, as each recipient's preferences allow.

For an end-to-end encrypted message, or in a conversation that requires encryption, a notification only says that there
is a new message.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, or_, select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.profile import profiles_of
from famichat.chat.access import is_visible
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.messages.schema import MessageView
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.push.preferences import PushPreferences, StoredPushPreferences, preferences_in
from famichat.push.subscription import PushSubscription
from famichat.storage.base import now

_MAX_BODY = 500
Said = MessageView
"""A message as it was broadcast to its conversation."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification about one message for one device.

    Attributes:
        device_id: the device.
        said: the message.
        record: the device's subscription.
        payload: plaintext JSON for the device.
    """

    device_id: str
    said: Said
    record: PushSubscription
    payload: bytes


def notices(
    session: Session, said: Sequence[Said], policies: EncryptionPolicies, only: str | None = None
) -> list[Notification]:
    """Return the notifications to send for these messages, in the current state of the database.

    Excluded are the sender, recipients who have muted or archived the conversation, who have quiet hours now or have
    left the conversation, devices that are signed out, and messages deleted meanwhile.

    Args:
        session: a read transaction.
        said: the messages.
        policies: encryption policies of the conversation types.
        only: restrict the result to this device.
    """
    moment, said = now(), _still_there(session, said)
    rows: dict[str, list[Row[Any]]] = {}
    query = _devices({each["conversation_id"] for each in said}, only)
    for row in session.execute(query):
        rows.setdefault(row.Participant.conversation_id, []).append(row)
    names = _names(session, {each["user_id"] for each in said})
    return [
        Notification(row.PushSubscription.device_id, each, row.PushSubscription, _payload(each, row, names, policies))
        for each in said
        for row in rows.get(each["conversation_id"], [])
        if _concerns(each, row.Participant) and not preferences_in(row.StoredPushPreferences).is_quiet(moment)
    ]


def test_payload() -> bytes:
    """Return the payload of a test notification."""
    return _written({"kind": "test"})


def _still_there(session: Session, said: Sequence[Said]) -> list[Said]:
    ids = {each["message_id"] for each in said}
    deleted = select(Message.id).where(Message.id.in_(ids), Message.deleted_at.is_not(None))
    gone = set(session.execute(deleted).scalars())
    return [each for each in said if each["message_id"] not in gone]


def _devices(conversation_ids: set[str], only: str | None) -> Any:
    query: Any = (
        select(Participant, Conversation, PushSubscription, StoredPushPreferences)
        .join(Conversation, Conversation.id == Participant.conversation_id)
        .join(Device, and_(Device.user_id == Participant.user_id, Device.revoked_at.is_(None)))
        .join(PushSubscription, PushSubscription.device_id == Device.id)
        .outerjoin(StoredPushPreferences, StoredPushPreferences.user_id == Participant.user_id)
        .where(
            Participant.conversation_id.in_(conversation_ids),
            Participant.archived_at.is_(None),
            or_(Participant.muted_until.is_(None), Participant.muted_until <= now()),
        )
    )
    return query if only is None else query.where(Device.id == only)


def _names(session: Session, user_ids: set[str]) -> dict[str, str]:
    return {each.user_id: each.shown_name for each in profiles_of(session, user_ids)}


def _concerns(said: Said, participant: Participant) -> bool:
    return participant.user_id != said["user_id"] and is_visible(said["seq"], participant.visible_from_seq)


def _payload(said: Said, row: Row[Any], names: dict[str, str], policies: EncryptionPolicies) -> bytes:
    talk: Conversation = row.Conversation
    chosen: PushPreferences = preferences_in(row.StoredPushPreferences)
    sealed = said["encryption_flag"] or (
        policies.status(talk.type, required_once=talk.encryption_required) == "enabled"
    )
    content = "none" if sealed else chosen.content
    told: dict[str, Any] = {
        "kind": "message",
        "conversation_id": talk.id,
        "conversation_type": talk.type,
        "message_id": said["message_id"],
        "seq": said["seq"],
        "content": content,
    }
    if content != "none":
        told |= {"sender_id": said["user_id"], "sender": names.get(said["user_id"]), "conversation_name": talk.name}
    if content == "full" and said["message_type"] == "text" and said["body"] is not None:
        told["body"] = said["body"][:_MAX_BODY]
    return _written(told)


def _written(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
