"""Messages: read what was said, say something, and change it; the same as the events on the socket."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.actions.change_message import change_message
from famichat.actions.send_message import send_message
from famichat.actions.topics import ConversationTopic
from famichat.chat.access import conversation_for
from famichat.chat.messages.change import Change, Deletion, Edit, React
from famichat.chat.messages.change_feed import ChangeFeedPage, ChangesRequest
from famichat.chat.messages.history import Page as FoundPage
from famichat.chat.messages.history import PageRequest, message_with_id
from famichat.chat.messages.versions import Versions, former_versions
from famichat.chat.messages.view import MessageView
from famichat.chat.records.conversation import ConversationType
from famichat.endpoint.api import schemas
from famichat.endpoint.http.context import Caller, Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.parameters import Limit, Seq

router = api_router("/conversations/{conversation_id}", "messages")

_MESSAGE: dict[str, Any] = {"response_model": schemas.Message, "response_model_exclude_unset": True}


class _Enveloped(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    encryption_flag: bool | None = None
    encryption_version: str | None = None
    version_tag: str | None = Field(None, description="Another name of `encryption_version`.")
    key_id: str | None = None
    protocol: str | None = None
    epoch: int | None = None
    sender_device_id: str | None = Field(None, description="Where given, the id of the device that sends this.")


class EditRequest(_Enveloped):
    """What to say instead. With `encryption_flag`, `encryption_version` and `key_id` are needed."""

    body: str = Field(description="1 byte to 64 KiB of UTF-8.")


class MessageRequest(EditRequest):
    """What to say. With `encryption_flag`, `encryption_version` and `key_id` are needed, and the body is opaque."""

    client_id: str | None = Field(None, description="Sent again with the same one, a message is stored only once.")
    message_type: str | None = None
    reply_to: str | None = None
    attachment_ids: list[str] | None = Field(
        None, description="Finished uploads of one's own, at most 10; the body may be empty then."
    )


class ReactionRequest(_Enveloped):
    """What to react with."""

    emoji: str = Field(description="1 to 64 bytes of UTF-8, without spaces; or ciphertext of at most 512.")


@router.get("/messages", summary="What was said", response_model=schemas.Page, response_model_exclude_unset=True)
async def get_messages(
    conversation_id: str,
    caller: Caller,
    context: InContext,
    after_seq: Seq = None,
    before_seq: Seq = None,
    limit: Limit = None,
) -> FoundPage:
    """Give the messages after a place, or before it, or the newest ones: at most 200, oldest first.

    Raises:
        NotFound: the caller is in no such conversation.
        InvalidMessage: both places are given.
    """
    context.rate_limits.check("read", caller)
    asked = PageRequest.parse({"after_seq": after_seq, "before_seq": before_seq, "limit": limit})
    return await context.database.read(
        lambda session: asked.read(session, conversation_for(session, caller.user_id, conversation_id), context.vault)
    )


@router.post(
    "/messages",
    summary="Say something",
    response_model=schemas.Message,
    response_model_exclude_unset=True,
    status_code=201,
    responses={200: {"model": schemas.Message, "description": "It was said already, under the same `client_id`"}},
)
async def post_message(
    conversation_id: str, body: MessageRequest, caller: Caller, context: InContext, response: Response
) -> MessageView:
    """Store a message, tell everybody in the conversation, and answer it as they see it.

    Raises:
        NotFound: the caller is in no such conversation.
        ChatError: the message is refused; see `Draft.parse` and `SendPath.send`.
    """

    def kind(session: Session) -> ConversationType:
        return conversation_for(session, caller.user_id, conversation_id).conversation.type

    topic = ConversationTopic(await context.database.read(kind), conversation_id)
    payload: dict[str, Any] = body.model_dump(exclude_none=True)
    sent = await send_message(context, caller, topic, payload)
    response.status_code = 200 if sent.repeat else 201
    return await context.database.read(
        lambda session: message_with_id(
            session, conversation_for(session, caller.user_id, conversation_id), sent.message_id, vault=context.vault
        )
    )


@router.get("/messages/{message_id}", summary="One message", **_MESSAGE)
async def get_message(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> MessageView:
    """Give a message as it is now.

    Raises:
        NotFound: the caller can see no such message.
    """
    context.rate_limits.check("read", caller)
    return await context.database.read(
        lambda session: message_with_id(
            session, conversation_for(session, caller.user_id, conversation_id), message_id, vault=context.vault
        )
    )


@router.patch("/messages/{message_id}", summary="Say it in other words", **_MESSAGE)
async def patch_message(
    conversation_id: str, message_id: str, body: EditRequest, caller: Caller, context: InContext
) -> MessageView:
    """Edit an own message of the last 24 hours; what it said before is kept.

    Raises:
        NotFound: the caller can see no such message.
        NotSender, MessageDeleted, TooLate: it cannot be edited, or not by the caller.
        ChatError: the body is refused, as when it is sent.
    """
    return await _change(context, caller, conversation_id, message_id, Edit, body.model_dump(exclude_none=True))


@router.delete("/messages/{message_id}", status_code=204, summary="Take it away")
async def delete_message(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> None:
    """Delete an own message or, as an admin of the group, anybody's. Its place stays, and says who did it.

    Raises:
        NotFound: the caller can see no such message.
        NotSender: it is not for the caller to delete.
    """
    await _change(context, caller, conversation_id, message_id, Deletion, {})


@router.get(
    "/messages/{message_id}/edits",
    summary="What it said before",
    response_model=schemas.Edits,
    response_model_exclude_unset=True,
)
async def get_edits(
    conversation_id: str, message_id: str, caller: Caller, context: InContext, before_version: Seq = None
) -> Versions:
    """Give the last former versions of a message, or the last before one: at most 50, oldest first.

    Raises:
        NotFound: the caller can see no such message.
    """
    context.rate_limits.check("read", caller)
    return await context.database.read(
        lambda session: former_versions(
            session,
            conversation_for(session, caller.user_id, conversation_id),
            message_id,
            before_version,
            vault=context.vault,
        )
    )


@router.put("/messages/{message_id}/reaction", summary="React", **_MESSAGE)
async def put_reaction(
    conversation_id: str, message_id: str, body: ReactionRequest, caller: Caller, context: InContext
) -> MessageView:
    """React to a message. Each person has one reaction to it; another takes its place.

    Raises:
        NotFound: the caller can see no such message.
        MessageDeleted: there is nothing to react to.
        ChatError: the reaction is refused.
    """
    return await _change(context, caller, conversation_id, message_id, React, body.model_dump(exclude_none=True))


@router.delete("/messages/{message_id}/reaction", summary="Take the reaction back", **_MESSAGE)
async def delete_reaction(conversation_id: str, message_id: str, caller: Caller, context: InContext) -> MessageView:
    """Take the caller's reaction back, if there is one.

    Raises:
        NotFound: the caller can see no such message.
        MessageDeleted: nothing of the message is there.
    """
    return await _change(context, caller, conversation_id, message_id, React, {"emoji": None})


@router.get("/changes", summary="What has changed", response_model=schemas.Changes, response_model_exclude_unset=True)
async def get_changes(
    conversation_id: str,
    caller: Caller,
    context: InContext,
    after_change: Seq = None,
    limit: Limit = None,
) -> ChangeFeedPage:
    """Give the messages that were edited, deleted or reacted to after a position: each once, as it is now.

    Raises:
        NotFound: the caller is in no such conversation.
    """
    context.rate_limits.check("read", caller)
    asked = ChangesRequest.parse({"after_change": after_change, "limit": limit})
    return await context.database.read(
        lambda session: asked.read(session, conversation_for(session, caller.user_id, conversation_id), context.vault)
    )


async def _change(
    context: Context,
    caller: Identity,
    conversation_id: str,
    message_id: str,
    change: type[Change],
    payload: dict[str, Any],
) -> MessageView:
    asked = {**payload, "message_id": message_id}
    changed = await change_message(context, caller, (None, conversation_id), change, asked)
    return changed.view
