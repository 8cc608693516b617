"""Reports broadcasts on conversations to telemetry, and warns of late ones."""

import time

from famichat.actions.events.topics import ConversationTopic
from famichat.telemetry import emit, events

BUDGET_SECONDS = 0.2


def report_broadcast(
    topic: ConversationTopic, event: str, payload_bytes: int, received_at: float, *, delay: float = 0.0
) -> None:
    """Report a broadcast that was just made.

    Args:
        topic: the conversation.
        event: the event's name.
        payload_bytes: the size of the encoded frame.
        received_at: when the cause of the event arrived, by `time.perf_counter`.
        delay: for how many seconds the event was held back on purpose.
    """
    elapsed = time.perf_counter() - received_at
    emit(
        events.MessageBroadcast(
            conversation_type=topic.type,
            conversation_id=topic.conversation_id,
            broadcast_event=event,
            payload_bytes=payload_bytes,
            since_receipt_seconds=elapsed,
        )
    )
    if elapsed > BUDGET_SECONDS + delay:
        emit(
            events.BroadcastOverBudget(
                conversation_type=topic.type, since_receipt_seconds=elapsed, budget_seconds=BUDGET_SECONDS + delay
            )
        )
