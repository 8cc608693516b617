"""Acknowledging messages as delivered or read."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from famichat.accounts.sign_in.token import Identity
from famichat.actions.events.topics import ConversationTopic, InvalidTopic
from famichat.actions.services import Services
from famichat.chat.errors import InvalidMessage, NotFound
from famichat.chat.messages.receipt_batch import Acknowledgement, AckResult
from famichat.chat.messages.receipt_writer import parse_status

MAX_CONVERSATIONS = 50
"""The conversations in one `message_acks`; each counts as one acknowledgement."""


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
    request = _acknowledgement(actor, topic, payload, attended=attended)
    return services.receipts.acknowledge(request, services.broadcasts.acknowledged)


def acknowledge_conversations(
    services: Services, actor: Identity, payload: Mapping[str, Any], *, attended: bool
) -> Awaitable[None]:
    """Acknowledge messages of several conversations, each as `acknowledge_messages` does.

    A conversation that the actor can no longer see is skipped: the actor may have been removed a moment ago, and the
    other acknowledgements are valid.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        payload: a `message_acks` payload: at most `MAX_CONVERSATIONS` entries, which are `message_ack` payloads with
            the `topic` of their conversation.
        attended: see `acknowledge_messages`.

    Raises:
        RateLimited: too many acknowledgements; none is stored.
        InvalidMessage: a field is malformed; or, when awaited, there is no message at one of the positions.
        StorageUnavailable: when awaited: some were not stored, or that is unknown; repeating all is safe.
    """
    entries = payload.get("acks")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_CONVERSATIONS:
        raise InvalidMessage(field="acks")
    requests = [_acknowledgement(actor, _topic(entry), entry, attended=attended) for entry in entries]
    services.rate_limits.check("acknowledge", actor, cost=len(requests))
    announce = services.broadcasts.acknowledged
    return _all_but_removed([services.receipts.acknowledge(request, announce) for request in requests])


async def _all_but_removed(queued: list[Awaitable[AckResult]]) -> None:
    for result in await asyncio.gather(*queued, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, NotFound):
            raise result


def _topic(entry: object) -> ConversationTopic:
    topic = entry.get("topic") if isinstance(entry, dict) else None
    if not isinstance(topic, str):
        raise InvalidMessage(field="acks")
    try:
        return ConversationTopic.parse(topic)
    except InvalidTopic as error:
        raise InvalidMessage(field="acks") from error


def _acknowledgement(
    actor: Identity, topic: ConversationTopic, payload: Mapping[str, Any], *, attended: bool
) -> Acknowledgement:
    seq, message_id, status = parse_status(payload)
    return Acknowledgement(
        actor.user_id, actor.device_id, topic.type, topic.conversation_id, seq, message_id, status, attended
    )
