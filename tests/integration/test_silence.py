"""Users outside a conversation cannot observe any activity in it.

Ada, of another family, and Nils, of the same one, join all channels that they may join and try the others, while every
kind of activity happens in Maja's conversations. Their sockets stay silent.
"""

import asyncio
from contextlib import AsyncExitStack

import httpx

from famichat.actions.events.unread import DELAY_SECONDS
from tests.factories.people import Person
from tests.support.app import RunningApp
from tests.support.channel_client import ChannelClient

PRIVATE = ("self", "direct", "group")
FLAGS = ("hidden", "archived", "muted")


async def knock_everywhere(app: RunningApp, client: ChannelClient, who: Person, kinds: tuple[str, ...]) -> None:
    """Join the user's own topic, and be refused on all others, under each type."""
    await client.join(f"user:{who.user_id}")
    ids = [getattr(app.talks, kind) for kind in kinds]
    topics = [f"message:{kind}:{each}" for each in ids for kind in ("self", "direct", "group", "family")]
    topics += [f"user:{other.user_id}" for other in (*app.home.everyone, app.home.ada) if other is not who]
    for topic in [*topics, *(f"message:{each}" for each in ids), *ids]:
        await client.join(topic, status="error")


async def talk(app: RunningApp, kind: str, insiders: dict[str, ChannelClient]) -> None:
    """Send, type, read, change and react in one conversation."""
    topic = f"message:{kind}:{getattr(app.talks, kind)}"
    for client in insiders.values():
        await client.join(topic)
    maja = insiders["maja"]
    sent = (await maja.ask(topic, "new_msg", {"body": "a secret"})).response
    for client in insiders.values():
        await client.push(topic, "typing", {"typing": True})
        for status in ("delivered", "read"):
            assert (await client.ask(topic, "message_ack", {"seq": sent["seq"], "status": status})).status == "ok"
        assert (await client.ask(topic, "fetch", {})).status == "ok"
        reaction = {"message_id": sent["message_id"], "emoji": "❤"}
        assert (await client.ask(topic, "react", reaction)).status == "ok"
    edit = {"message_id": sent["message_id"], "body": "another secret"}
    for event, payload in (("edit_msg", edit), ("delete_msg", {"message_id": sent["message_id"]})):
        assert (await maja.ask(topic, event, payload)).status == "ok"
        await maja.assert_broadcast(topic, "message_updated", {"message_id": sent["message_id"]})
    for client in insiders.values():
        await client.leave(topic)


async def change(app: RunningApp, maja: httpx.AsyncClient, emil: httpx.AsyncClient) -> None:
    """Send over HTTP, hide and unhide conversations, rename the group, and change its members."""
    for kind in PRIVATE:
        talk = f"/conversations/{getattr(app.talks, kind)}"
        await maja.post(f"{talk}/messages", json={"body": "over HTTP"})
        await maja.post("/test/broadcast", json={**named(app, kind), "body": "a test"})
        for flag in FLAGS:
            for answer in (await maja.put(f"{talk}/{flag}"), await maja.delete(f"{talk}/{flag}")):
                assert answer.status_code == 200
    group, inga = f"/conversations/{app.talks.group}", app.home.inga.user_id
    emils_place = f"{group}/members/{app.home.emil.user_id}"
    answers = [
        await maja.patch(group, json={"name": "Another name"}),
        await maja.put(f"{emils_place}/role", json={"role": "admin"}),
        await maja.put(f"{emils_place}/role", json={"role": "member"}),
        await maja.delete(f"{group}/members/{inga}"),
        await maja.post(f"{group}/members", json={"user_id": inga}),
        await emil.delete(emils_place),
        await maja.post("/conversations/direct", json={"user_id": inga}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 204, 201, 204, 201]


def named(app: RunningApp, kind: str) -> dict[str, str]:
    return {"conversation_type": kind, "conversation_id": getattr(app.talks, kind)}


async def test_an_outsider_hears_nothing_while_everything_happens(app: RunningApp) -> None:
    home = app.home
    async with AsyncExitStack() as stack:
        outsiders = {who: await stack.enter_async_context(app.connect(who)) for who in (home.ada, home.nils)}
        emil = await stack.enter_async_context(app.connect(home.emil))
        maja = await stack.enter_async_context(app.connect(home.maja))
        for who, client in outsiders.items():
            await knock_everywhere(app, client, who, (*PRIVATE, "family") if who is home.ada else PRIVATE)
        await maja.join(f"user:{home.maja.user_id}")
        before = {who: len(client.received) for who, client in outsiders.items()}

        await talk(app, "self", {"maja": maja})
        for kind in ("direct", "group"):
            await talk(app, kind, {"maja": maja, "emil": emil})
        async with app.http(home.maja) as as_maja, app.http(home.emil) as as_emil:
            await change(app, as_maja, as_emil)

        await maja.assert_push(f"user:{home.maja.user_id}", "conversation_updated")
        await asyncio.sleep(3 * DELAY_SECONDS)  # unread counts are pushed with a delay
        for who, client in outsiders.items():
            await client.heartbeat()
            assert [frame.event for frame in client.received[before[who] :]] == ["phx_reply"], "the heartbeat's"
