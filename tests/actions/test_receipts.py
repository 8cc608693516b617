"""Acknowledgements are broadcast when a device advances."""

from famichat.actions.events.topics import ConversationTopic
from famichat.actions.messages import send_message
from famichat.actions.receipts import acknowledge_messages
from tests.support.services import RunningServices, identity


async def test_an_acknowledgement_is_announced_once(running: RunningServices) -> None:
    services, home = running.services, running.home
    topic = ConversationTopic("direct", running.talks.direct)
    sent = await send_message(services, identity(home.maja), topic.conversation_id, {"body": "hej"}, topic.type)
    for _ in range(2):
        await acknowledge_messages(
            services, identity(home.emil), topic, {"seq": sent.seq, "status": "read"}, attended=True
        )

    notes = [note for kind, note in running.published if kind == "broadcast" and note["topic"] == str(topic)]
    assert [note["event"] for note in notes] == ["message_status"]
    assert notes[0]["payload"] == {
        "conversation_id": topic.conversation_id,
        "user_id": home.emil.user_id,
        "device_id": home.emil.device_id,
        "device_kind": None,
        "status": "read",
        "seq": sent.seq,
    }


async def test_looking_at_a_message_that_was_received_in_the_background_is_not_announced(
    running: RunningServices,
) -> None:
    services, home = running.services, running.home
    topic = ConversationTopic("direct", running.talks.direct)
    sent = await send_message(services, identity(home.maja), topic.conversation_id, {"body": "hej"}, topic.type)
    for attended in (False, True):
        await acknowledge_messages(services, identity(home.emil), topic, {"seq": sent.seq}, attended=attended)

    events = [note["event"] for kind, note in running.published if kind == "broadcast" and note["topic"] == str(topic)]
    assert events == ["message_status"]
