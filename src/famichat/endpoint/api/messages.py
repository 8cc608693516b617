"""Messages: read, send and change them. The same actions as the events on the WebSocket."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from famichat.actions import messages as actions
from famichat.chat.messages.change import Deletion, Edit, React
from famichat.chat.messages.schema import ChangePage, EditPage, MessagePage, MessageView
from famichat.endpoint.http.compression import compressible
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.parameters import IdempotencyKey, Limit, Seq

router = api_router("/conversations/{conversation_id}", "messages")

_MESSAGE: dict[str, Any] = {"response_model": MessageView}


class _Enveloped(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    encryption_flag: bool | None = None
    encryption_version: str | None = None
    version_tag: str | None = Field(None, description="Alias of `encryption_version`.")
    key_id: str | None = None
    protocol: str | None = None
    epoch: int | None = None
    sender_device_id: str | None = Field(None, description="If given, the id of the sending device.")


class EditRequest(_Enveloped):
    """The new text. `encryption_flag` requires `encryption_version` and `key_id`."""

    body: str = Field(description="1 byte to 64 KiB of UTF-8.")


class MessageRequest(EditRequest):
    """A message. `encryption_flag` requires `encryption_version` and `key_id`, and makes the body opaque."""

    client_id: str | None = Field(
        None, description="Idempotency key: a message sent again with the same one is stored once."
    )
    message_type: str | None = None
    reply_to: str | None = None
    attachment_ids: list[str] | None = Field(
        None, description="At most 10 of the caller's finished uploads; the body may be empty then."
    )


class ReactionRequest(_Enveloped):
    """A reaction."""

    emoji: str = Field(description="1 to 64 bytes of UTF-8 without spaces, or at most 512 bytes of ciphertext.")


@router.get("/messages", summary="List messages", response_model=MessagePage)
@compressible
async def get_messages(
    conversation_id: str,
    caller: Caller,
    context: InContext,
    after_seq: Seq = None,
    before_seq: Seq = None,
    limit: Limit = None,
) -> MessagePage:
    """Return the messages after a position, before a position, or the newest ones: at most 200, oldest first.

    Raises:
        NotFound: the caller is not a member.
        InvalidMessage: both positions are given.
    """
    payload = {"after_seq": after_seq, "before_seq": before_seq, "limit": limit}
    return await actions.fetch_messages(context, caller, conversation_id, payload)


@router.post(
    "/messages",
    summary="Send a message",
    response_model=MessageView,
    status_code=201,
    responses={200: {"model": MessageView, "description": "It was sent before, with the same `client_id`"}},
)
async def post_message(
    conversation_id: str,
    body: MessageRequest,
    caller: Caller,
    context: InContext,
    response: Response,
    key: IdempotencyKey = None,
) -> MessageView:
    """Send a message, and return it as the members of the conversation receive it.

    Without `client_id`, the `Idempotency-Key` is the message's `client_id`.

    Raises:
        NotFound: the caller is not a member.
        ChatError: the message is refused; see `Draft.parse` and `SendPath.send`.
    """
    payload = ({} if key is None else {"client_id": key}) | body.model_dump(exclude_none=True)
    view, created = await actions.post_message(context, caller, conversation_id, payload)
    response.status_code = 201 if created else 200
    return view


@router.get("/messages/{message_id}", summary="Show a message", **_MESSAGE)
@compressible
async def get_message(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> MessageView:
    """Return a message as it is now.

    Raises:
        NotFound: the caller cannot see such a message.
    """
    return await actions.get_message(context, caller, conversation_id, message_id)


@router.patch("/messages/{message_id}", summary="Edit a message", **_MESSAGE)
async def patch_message(
    conversation_id: str, message_id: str, body: EditRequest, caller: Caller, context: InContext
) -> MessageView:
    """Edit one of the caller's messages of the last 24 hours; its former versions are kept.

    Raises:
        NotFound: the caller cannot see such a message.
        NotSender, MessageDeleted, TooLate: it cannot be edited, or not by the caller.
        ChatError: the body is refused, as when it is sent.
    """
    payload = {**body.model_dump(exclude_none=True), "message_id": message_id}
    return (await actions.change_message(context, caller, conversation_id, Edit, payload)).view


@router.delete("/messages/{message_id}", status_code=204, summary="Delete a message")
async def delete_message(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> None:
    """Delete one of the caller's messages or, as an admin of the group, any. Its position stays, with who deleted it.

    Raises:
        NotFound: the caller cannot see such a message.
        NotSender: the caller may not delete it.
    """
    await actions.change_message(context, caller, conversation_id, Deletion, {"message_id": message_id})


@router.get(
    "/messages/{message_id}/edits",
    summary="List former versions of a message",
    response_model=EditPage,
)
@compressible
async def get_edits(
    conversation_id: str, message_id: str, caller: Caller, context: InContext, before_version: Seq = None
) -> EditPage:
    """Return the last former versions of a message, or the last before a version: at most 50, oldest first.

    Raises:
        NotFound: the caller cannot see such a message.
    """
    return await actions.list_former_versions(context, caller, conversation_id, message_id, before_version)


@router.put("/messages/{message_id}/reaction", summary="React to a message", **_MESSAGE)
async def put_reaction(
    conversation_id: str, message_id: str, body: ReactionRequest, caller: Caller, context: InContext
) -> MessageView:
    """React to a message. Each person has at most one reaction to it; a new one replaces it.

    Raises:
        NotFound: the caller cannot see such a message.
        MessageDeleted: the message is deleted.
        ChatError: the reaction is refused.
    """
    payload = {**body.model_dump(exclude_none=True), "message_id": message_id}
    return (await actions.change_message(context, caller, conversation_id, React, payload)).view


@router.delete("/messages/{message_id}/reaction", summary="Remove my reaction", **_MESSAGE)
async def delete_reaction(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> MessageView:
    """Remove the caller's reaction, if there is one.

    Raises:
        NotFound: the caller cannot see such a message.
        MessageDeleted: the message is deleted.
    """
    payload = {"emoji": None, "message_id": message_id}
    return (await actions.change_message(context, caller, conversation_id, React, payload)).view


@router.get("/changes", summary="List changed messages", response_model=ChangePage)
@compressible
async def get_changes(
    conversation_id: str,
    caller: Caller,
    context: InContext,
    after_change: Seq = None,
    limit: Limit = None,
) -> ChangePage:
    """Return the messages that were edited, deleted or reacted to after a position: each once, as it is now.

    Raises:
        NotFound: the caller is not a member.
    """
    payload = {"after_change": after_change, "limit": limit}
    return await actions.fetch_changes(context, caller, conversation_id, payload)
