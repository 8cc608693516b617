"""Sends a message for whoever asks over whichever door: the steps that all of them share."""

import time
from collections.abc import Awaitable, Mapping
from typing import Any

from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.actions.topics import ConversationTopic
from famichat.chat.messages.send import Announce, Draft, Sender, Sent


def send_message(
    services: Services, identity: Identity, topic: ConversationTopic, payload: Mapping[str, Any]
) -> Awaitable[Sent]:
    """Understand a message, put it in line to be stored, and let it be announced when it is.

    Everything before the line happens at once, so that one sender's messages keep the order of these calls; await
    what is returned to know that the message is on disk.

    Args:
        services: the parts of the server.
        identity: who sends.
        topic: the conversation, under the type by which the sender knows it.
        payload: a `new_msg` payload.

    Raises:
        RateLimited: this device sends too often.
        ChatError: see `Draft.parse` and `SendPath.send`.
        StorageUnavailable: nobody knows that it was stored; send it again, by the same client id.
    """
    received_at = time.perf_counter()
    announce = services.broadcasts.message(topic, received_at)
    if services.tracing is None:
        return _send(services, identity, topic, payload, announce)
    trace = services.tracing.message(topic.type, topic.conversation_id, identity.user_id)
    try:
        sent = _send(services, identity, topic, payload, trace.announcing(announce))
    except Exception as fault:
        trace.refused(fault)
        raise
    return trace.answer(sent)


def _send(
    services: Services, identity: Identity, topic: ConversationTopic, payload: Mapping[str, Any], announce: Announce
) -> Awaitable[Sent]:
    services.rate_limits.check("send", identity)
    draft = Draft.parse(payload)
    sender = Sender(identity.user_id, identity.device_id)
    return services.send_path.send(sender, topic.type, topic.conversation_id, draft, announce)
