"""Every payload that the server sends has the type that OpenAPI publishes for it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from famichat.chat.families import reset_agreement
from famichat.endpoint.channels.events import ERROR_REPLY, TOPICS
from famichat.push import notifier
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp
from tests.support.operator import Operator
from tests.support.push_service import Browser

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
CONVERSATION, USER = TOPICS["message:{type}:{conversation_id}"], TOPICS["user:{user_id}"]


def assert_typed(payload: Any, declared: Any) -> None:
    """Validation drops undeclared keys: an equal result has none."""
    assert TypeAdapter(declared).validate_python(payload, strict=True) == payload


async def test_events_of_a_conversation_have_the_declared_types(app: RunningApp) -> None:
    topic = f"message:direct:{app.talks.direct}"
    events: dict[str, Any] = {}
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        replies = {"phx_join": await maja.join(topic)}
        events["presence_state"] = (await maja.assert_broadcast(topic, "presence_state")).payload
        await emil.join(topic)
        events["presence_diff"] = (await maja.assert_broadcast(topic, "presence_diff")).payload
        replies["new_msg"] = (await emil.ask(topic, "new_msg", {"body": "hej"})).response
        events["new_msg"] = (await maja.assert_broadcast(topic, "new_msg")).payload
        await emil.ask(topic, "react", {"message_id": replies["new_msg"]["message_id"], "emoji": "❤"})
        events["message_updated"] = (await maja.assert_broadcast(topic, "message_updated")).payload
        await emil.ask(topic, "message_ack", {"seq": 1, "status": "read"})
        events["message_status"] = (await maja.assert_broadcast(topic, "message_status")).payload
        await maja.join(topic, {"message_statuses": True})
        await emil.ask(topic, "new_msg", {"body": "hopp"})
        await emil.ask(topic, "message_ack", {"seq": 2, "status": "read"})
        events["message_statuses"] = (await maja.assert_broadcast(topic, "message_statuses")).payload
        await emil.push(topic, "typing", {"typing": True})
        events["typing"] = (await maja.assert_broadcast(topic, "typing")).payload
        replies["fetch"] = (await maja.ask(topic, "fetch", {})).response
        replies["fetch_changes"] = (await maja.ask(topic, "fetch_changes", {})).response
        refused = (await maja.ask(topic, "new_msg", {"body": ""})).response

    elsewhere = {"head", "epoch_changed"}  # head is sent every 15 seconds only
    assert events.keys() | elsewhere == CONVERSATION.events.keys()
    for event, payload in events.items():
        assert_typed(payload, CONVERSATION.events[event])
    assert replies.keys() == CONVERSATION.replies.keys()
    for event, reply in replies.items():
        assert_typed(reply, CONVERSATION.replies[event])
    assert_typed(refused, ERROR_REPLY)


async def test_events_of_a_user_have_the_declared_types(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BATCH_SECONDS", "SHOW_AFTER_SECONDS"):
        monkeypatch.setattr(notifier, name, 0.01)
    home, topic = app.home, f"user:{app.home.maja.user_id}"
    group = {"name": "Lake", "member_ids": [home.maja.user_id, home.inga.user_id]}
    events: dict[str, Any] = {}
    async with app.connect(home.maja) as maja, app.http(home.emil) as emil, app.http(home.maja) as http:
        joined = await maja.join(topic, {"last_messages": True})
        made = (await emil.post("/conversations/group", json=group)).json()
        events["conversation_created"] = (await maja.assert_broadcast(topic, "conversation_created")).payload
        await emil.patch(f"/conversations/{made['id']}", json={"name": "The lake"})
        events["conversation_updated"] = (await maja.assert_broadcast(topic, "conversation_updated")).payload
        await emil.post(f"/conversations/{made['id']}/messages", json={"body": "hej"})
        events["last_message"] = (await maja.assert_broadcast(topic, "last_message")).payload
        events["unread"] = (await maja.assert_broadcast(topic, "unread")).payload
        await emil.delete(f"/conversations/{made['id']}/members/{home.maja.user_id}")
        events["conversation_left"] = (await maja.assert_broadcast(topic, "conversation_left")).payload
        await emil.patch("/me", json={"color": "moss"})
        events["person_updated"] = (await maja.assert_broadcast(topic, "person_updated")).payload
        await http.put(f"/families/{home.family_id}/members/{home.nils.user_id}", json={"role": "member"})
        events["family_updated"] = (await maja.assert_broadcast(topic, "family_updated")).payload
        sent = (await http.post(f"/conversations/{app.talks.direct}/messages", json={"body": "hej"})).json()
        await http.put(f"/conversations/{app.talks.direct}/messages/{sent['message_id']}/star")
        events["marks_changed"] = (await maja.assert_broadcast(topic, "marks_changed")).payload
        await http.put("/me/push", json=Browser("https://push.example.org/x").subscription())
        await emil.post(f"/conversations/{app.talks.direct}/messages", json={"body": "hej"})
        events["notification"] = (await maja.assert_broadcast(topic, "notification")).payload
        await asyncio.to_thread(Operator(app.settings.data_dir), "user", "reset-link", "maja")
        events["reset_link_created"] = (await maja.assert_broadcast(topic, "reset_link_created")).payload
        monkeypatch.setattr(reset_agreement, "SETTLED", timedelta(0))
        for each in (home.emil, home.inga):
            await http.put(f"/families/{home.family_id}/members/{each.user_id}", json={"role": "admin"})
        await emil.put(f"/families/{home.family_id}/members/{home.maja.user_id}/reset-agreement")
        events["reset_agreement_updated"] = (await maja.assert_broadcast(topic, "reset_agreement_updated")).payload
        async with app.connect(home.maja) as later:
            joined_later = await later.join(topic)
        other = (await http.post("/sessions", json={"username": home.maja.username, "password": PASSWORD})).json()
        await http.delete(f"/devices/{other['device_id']}")
        events["device_revoked"] = (await maja.assert_broadcast(topic, "device_revoked")).payload

    elsewhere = {"heads", "welcome", "key_share", "key_request", "key_packages_low"}
    assert events.keys() | elsewhere == USER.events.keys()
    for event, payload in events.items():
        assert_typed(payload, USER.events[event])
    for reply in (joined, joined_later):
        assert_typed(reply, USER.replies["phx_join"])
    assert joined_later["reset_agreement"] == events["reset_agreement_updated"]["agreement"]


def test_the_protocol_page_names_every_event() -> None:
    for described in TOPICS.values():
        for event in described.events:
            assert f"`{event}`" in PAGE, event
