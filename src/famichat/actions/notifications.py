"""Notifications that open tabs show themselves, without a push service."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.actions.events.topics import connections_of_device, user_topic
from famichat.actions.events.user_news import NOTIFICATION, UserChange
from famichat.actions.services import Services
from famichat.chat.access import conversation_for
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.page import seq_param
from famichat.push.notification import Notification
from famichat.push.position import claim
from famichat.realtime.pubsub import PubSub
from famichat.telemetry import emit, events


def show_in_tabs(pubsub: PubSub, notification: Notification) -> None:
    """Ask the open tabs of a device, on any node, to show a notification."""
    user_id, device_id = notification.user_id, notification.device_id
    change = UserChange(user_id, NOTIFICATION, notification.message["message_id"], device_id)
    pubsub.broadcast(
        user_topic(user_id),
        NOTIFICATION,
        notification.payload,
        only=connections_of_device(device_id),
        announce=change.announcement,
    )


async def confirm_notification(services: Services, actor: Identity, payload: Mapping[str, Any]) -> None:
    """Record that the actor's device needs no push notification of the messages up to a position.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        payload: a `notified` payload: `conversation_id` and `seq`.

    Raises:
        RateLimited: too many confirmations; they count as acknowledgements.
        InvalidMessage: a field is malformed, or there is no message at this position.
        NotFound: the actor is not a member of such a conversation.
        StorageUnavailable: it was not stored, or that is unknown; repeating it is safe.
    """
    services.rate_limits.check("acknowledge", actor)
    conversation_id, seq = payload.get("conversation_id"), seq_param(payload, "seq")
    if not isinstance(conversation_id, str):
        raise InvalidMessage(field="conversation_id")

    def work(session: Session) -> bool:
        access = conversation_for(session, actor.user_id, conversation_id)
        if seq is None or not 1 <= seq <= access.conversation.last_seq:
            raise InvalidMessage(field="seq")
        return bool(claim(session, [(actor.device_id, conversation_id, seq)]))

    if await services.write(work):
        emit(events.PushReplaced())
