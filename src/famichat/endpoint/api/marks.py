"""Pinned, starred and hidden messages."""

from famichat.actions import marks as actions
from famichat.chat.messages.schema import MarksView
from famichat.endpoint.http.compression import compressible
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router

router = api_router("/conversations/{conversation_id}", "messages")


@router.get("/marks", summary="List marked messages", response_model=MarksView)
@compressible
async def get_marks(conversation_id: str, caller: Caller, context: InContext) -> MarksView:
    """Return the pinned messages, and those that the caller has starred or hidden.

    Raises:
        NotFound: the caller is not a member.
    """
    return await actions.list_marks(context, caller, conversation_id)


@router.put("/messages/{message_id}/pin", status_code=204, summary="Pin a message")
async def put_pin(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> None:
    """Pin a message for all members, at most five per conversation. Groups and families: only their admins.

    Raises:
        NotFound: the caller cannot see such a message.
        NotAdmin, ContactEnded, MessageDeleted, TooManyMarks: it cannot be pinned, or not by the caller.
    """
    await actions.set_pin(context, caller, conversation_id, message_id, pinned=True)


@router.delete("/messages/{message_id}/pin", status_code=204, summary="Unpin a message")
async def delete_pin(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> None:
    """Unpin a message.

    Raises:
        NotFound: the caller cannot see such a message.
        NotAdmin, ContactEnded: the caller may not unpin it.
    """
    await actions.set_pin(context, caller, conversation_id, message_id, pinned=False)


@router.put("/messages/{message_id}/star", status_code=204, summary="Star a message")
async def put_star(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> None:
    """Star a message. Only the caller sees stars.

    Raises:
        NotFound: the caller cannot see such a message.
        TooManyMarks: the caller has starred too many messages of the conversation.
    """
    await actions.set_mark(context, caller, conversation_id, message_id, "starred", marked=True)


@router.delete("/messages/{message_id}/star", status_code=204, summary="Remove a star")
async def delete_star(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> None:
    """Remove the caller's star from a message.

    Raises:
        NotFound: the caller cannot see such a message.
    """
    await actions.set_mark(context, caller, conversation_id, message_id, "starred", marked=False)


@router.put("/messages/{message_id}/hidden", status_code=204, summary="Hide a message")
async def put_hidden_message(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> None:
    """Hide a message from the caller on all devices. The other members keep it.

    Raises:
        NotFound: the caller cannot see such a message.
        TooManyMarks: the caller has hidden too many messages of the conversation.
    """
    await actions.set_mark(context, caller, conversation_id, message_id, "hidden", marked=True)


@router.delete("/messages/{message_id}/hidden", status_code=204, summary="Show a hidden message")
async def delete_hidden_message(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> None:
    """Show a message again that the caller has hidden.

    Raises:
        NotFound: the caller cannot see such a message.
    """
    await actions.set_mark(context, caller, conversation_id, message_id, "hidden", marked=False)
