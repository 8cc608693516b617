"""Acknowledging messages as delivered or read."""

from collections.abc import Awaitable, Mapping
from typing import Any

from famichat.accounts.sign_in.token import Identity
from famichat.actions.events.topics import ConversationTopic
from famichat.actions.services import Services
from famichat.chat.messages.receipt_batch import Acknowledgement, AckResult
from famichat.chat.messages.receipt_writer import parse_status


def acknowledge_messages(
    services: Services, actor: Identity, topic: ConversationTopic, payload: Mapping[str, Any], *, attended: bool
) -> Awaitable[AckResult]:
    """Acknowledge all messages up to a position as delivered to, or read on, the actor's device.

    The acknowledgement is queued synchronously, and announced once it is stored if the device had not been as far.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        topic: the conversation, and the type under which the actor knows it.
        payload: a `message_ack` payload.
        attended: whether the user is looking at the app; otherwise the device is notified nevertheless.

    Raises:
        RateLimited: too many acknowledgements.
        InvalidMessage: a field is malformed; or, when awaited, there is no message at this position.
        NotFound: when awaited: the actor is not a member of such a conversation, or cannot see the message.
        StorageUnavailable: it was not stored, or that is unknown; repeating it is safe.
    """
    services.rate_limits.check("acknowledge", actor)
    seq, message_id, status = parse_status(payload)
    request = Acknowledgement(
        actor.user_id, actor.device_id, topic.type, topic.conversation_id, seq, message_id, status, attended
    )
    return services.receipts.acknowledge(request, services.broadcasts.acknowledged)
