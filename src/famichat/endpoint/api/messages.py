"""Messages: read what was said, and say something; the same as `fetch` and `new_msg` on the socket."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.conversation import ConversationType
from famichat.chat.history import MAX_PAGE, MAX_SEQ, PageRequest, message_with_id
from famichat.chat.history import Page as FoundPage
from famichat.chat.view import MessageView
from famichat.endpoint.api import shapes
from famichat.endpoint.context import Caller, InContext
from famichat.endpoint.sending import send_message
from famichat.endpoint.strict_route import StrictRoute
from famichat.endpoint.topics import ConversationTopic

router = APIRouter(prefix="/conversations/{conversation_id}/messages", tags=["messages"], route_class=StrictRoute)


def _digits(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("a whole number is written in digits")  # the framework would take " 1", "1.0" and "1_0", too
    return value


_Place = Annotated[int | None, BeforeValidator(_digits), Query(ge=0, le=MAX_SEQ)]
Limit = Annotated[
    int | None,
    BeforeValidator(_digits),
    Query(ge=1, le=MAX_SEQ, description=f"Over {MAX_PAGE} is taken as {MAX_PAGE}."),
]


class MessageRequest(BaseModel):
    """What to say. With `encryption_flag`, `encryption_version` and `key_id` are needed, and the body is opaque."""

    model_config = ConfigDict(extra="forbid", strict=True)

    body: str = Field(description="1 byte to 64 KiB of UTF-8.")
    client_id: str | None = Field(None, description="Sent again with the same one, a message is stored only once.")
    message_type: str | None = None
    reply_to: str | None = None
    encryption_flag: bool | None = None
    encryption_version: str | None = None
    version_tag: str | None = Field(None, description="Another name of `encryption_version`.")
    key_id: str | None = None
    protocol: str | None = None
    epoch: int | None = None
    sender_device_id: str | None = Field(None, description="Where given, the id of the device that sends this.")


@router.get("", summary="What was said", response_model=shapes.Page, response_model_exclude_unset=True)
async def get_messages(
    conversation_id: str,
    caller: Caller,
    context: InContext,
    after_seq: _Place = None,
    before_seq: _Place = None,
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
    "",
    summary="Say something",
    response_model=shapes.Message,
    response_model_exclude_unset=True,
    status_code=201,
    responses={200: {"model": shapes.Message, "description": "It was said already, under the same `client_id`"}},
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
