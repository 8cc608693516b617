"""Changes a message for whoever asks over whichever door: the steps that all of them share."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.change import Change
from famichat.chat.messages.change_writer import ChangeRequest, ChangeResult
from famichat.chat.records.conversation import ConversationType


def change_message(
    services: Services,
    identity: Identity,
    conversation: tuple[ConversationType | None, str],
    change: type[Change],
    payload: Mapping[str, Any],
) -> Awaitable[ChangeResult]:
    """Understand a change, put it in line to be written, and let it be announced when it is.

    Args:
        services: the parts of the server.
        identity: who asks.
        conversation: the type under which the asker knows it, where one was said, and its id.
        change: what is to become of the message.
        payload: an `edit_msg`, `delete_msg` or `react` payload.

    Raises:
        RateLimited: this device does so too often.
        ChatError: see the `parse` of the change, and `Changes.make`.
        StorageUnavailable: nobody knows that it was written; ask again.
    """
    services.rate_limits.check("change", identity)
    message_id = payload.get("message_id")
    if not isinstance(message_id, str):
        raise InvalidMessage(field="message_id")
    kind, conversation_id = conversation
    asked = ChangeRequest(
        identity.user_id, identity.device_id, conversation_id, kind, message_id, change.parse(payload)
    )

    def announce(changed: ChangeResult) -> None:
        services.broadcasts.message_updated(changed)
        if changed.gone:  # nobody can fetch them any more; if this fails, the next sweep finds them
            asyncio.get_running_loop().run_in_executor(None, services.files.remove, changed.gone)

    return services.changes.make(asked, announce)
