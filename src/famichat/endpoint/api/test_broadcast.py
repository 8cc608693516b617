"""A test endpoint for curl (story 7.4.2): one request triggers one broadcast. Off unless the operator enables it."""

from pydantic import BaseModel, ConfigDict

from famichat.actions.events.topics import ConversationTopic, InvalidTopic
from famichat.actions.messages import send_message
from famichat.chat.access import conversation_for
from famichat.chat.errors import NotFound
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.storage.base import rfc3339

router = api_router("/test", "test")


class TestBroadcast(BaseModel):
    """A message to send. The encryption fields are those of `new_msg`."""

    __test__ = False  # pytest would collect it because of its name
    model_config = ConfigDict(extra="forbid", strict=True)

    conversation_type: str
    conversation_id: str
    body: str
    client_id: str | None = None
    encryption_flag: bool | None = None
    encryption_version: str | None = None
    version_tag: str | None = None
    key_id: str | None = None
    protocol: str | None = None
    epoch: int | None = None
    sender_device_id: str | None = None


class TriggeredView(BaseModel):
    """The event that was broadcast, and its topic."""

    topic: str
    event: str
    message_id: str
    seq: int
    inserted_at: str


@router.post("/broadcast", summary="Trigger a broadcast")
async def broadcast(request: TestBroadcast, caller: Caller, context: InContext) -> TriggeredView:
    """Send a message through the same path as any client, which triggers exactly one broadcast.

    Raises:
        NotFound: the conversation does not exist, has another type, or the caller is not a member.
        ChatError: the message was refused, and nothing was broadcast.
    """
    try:
        topic = ConversationTopic.parse(f"message:{request.conversation_type}:{request.conversation_id}")
    except InvalidTopic:
        raise NotFound from None
    await context.read(conversation_for, caller.user_id, topic.conversation_id, topic.type)
    payload = request.model_dump(exclude_none=True)
    sent = await send_message(context, caller, topic.conversation_id, payload, topic.type)
    return TriggeredView(
        topic=str(topic),
        event="new_msg",
        message_id=sent.message_id,
        seq=sent.seq,
        inserted_at=rfc3339(sent.inserted_at),
    )
