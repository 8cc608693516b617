"""The declared types match the payloads of the server."""

from famichat.chat.conversations.schema import ConversationView, JoinReply, ParticipantView
from famichat.chat.messages.schema import MessageView
from tests.support.app import RunningApp


async def test_the_declared_fields_are_those_of_the_views(app: RunningApp) -> None:
    """Uses the socket, because no response model filters its replies."""
    topic = f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.maja) as maja, app.http(app.home.maja) as http:
        await http.post(f"/conversations/{app.talks.direct}/messages", json={"body": "hej"})
        joined = await maja.join(topic)

    assert joined.keys() == JoinReply.__annotations__.keys()
    assert joined["conversation"].keys() == ConversationView.__annotations__.keys()
    assert joined["messages"][0].keys() | {"error_code"} == MessageView.__annotations__.keys()
    assert joined["conversation"]["last_message"] == joined["messages"][0]
    assert joined["conversation"]["members"][0].keys() == ParticipantView.__annotations__.keys()
