"""The mission's curl endpoint (story 7.4.2): one request, one broadcast. There only where the operator enables it."""

from pydantic import BaseModel, ConfigDict

from famichat.actions.messages import send_message
from famichat.actions.topics import ConversationTopic, InvalidTopic
from famichat.chat.access import conversation_for
from famichat.chat.errors import NotFound
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.storage.base import rfc3339

router = api_router("/test", "test")


class TestBroadcast(BaseModel):
    """A message to trigger; the fields of encryption as in `new_msg`."""

    __test__ = False  # pytest looks for classes of this name
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
    """What was broadcast, and where."""

    topic: str
    event: str
    message_id: str
    seq: int
    inserted_at: str


@router.post("/broadcast", summary="Trigger a broadcast")
async def broadcast(request: TestBroadcast, caller: Caller, context: InContext) -> TriggeredView:
    """Send a message through the same path as everybody, and so cause exactly one broadcast.

    Raises:
        NotFound: the caller is not in such a conversation.
        ChatError: the message is refused; then nothing was broadcast.
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
