"""What OpenAPI declares is what the views give."""

from famichat.endpoint.api import schemas
from tests.support.app import RunningApp


async def test_the_declared_fields_are_those_of_the_views(app: RunningApp) -> None:
    """Asked of the socket, whose answers no declaration filters."""
    topic = f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.maja) as maja, app.http(app.home.maja) as http:
        await http.post(f"/conversations/{app.talks.direct}/messages", json={"body": "hej"})
        joined = await maja.join(topic)

    assert joined["conversation"].keys() == schemas.Conversation.model_fields.keys()
    assert joined["messages"][0].keys() | {"error_code"} == schemas.Message.model_fields.keys()
    assert joined["conversation"]["last_message"] == joined["messages"][0]
    assert joined["conversation"]["members"][0].keys() == schemas.Member.model_fields.keys()
