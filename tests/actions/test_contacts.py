"""Blocks and ended contacts: who receives which event."""

from datetime import timedelta

import pytest

from famichat.actions.accounts.invites import accept_invite, create_invite
from famichat.actions.contacts import (
    block_user,
    end_child_contact,
    list_blocks,
    list_child_contacts,
    restore_child_contact,
    unblock_user,
)
from famichat.actions.conversations import create_direct_conversation, get_conversation
from famichat.actions.families import change_family_role, remove_family_member
from famichat.actions.groups import remove_group_member
from famichat.actions.messages import send_message
from famichat.chat.errors import ContactEnded
from tests.factories.people import Person
from tests.support.app import RunningApp
from tests.support.channel_client import ChannelClient
from tests.support.services import ADDRESS, RunningServices, identity


async def contact(running: RunningServices, who: Person, conversation_id: str) -> str | None:
    return (await get_conversation(running.services, identity(who), conversation_id))["contact"]


async def test_only_the_blocking_user_gets_the_update(running: RunningServices) -> None:
    home, direct = running.home, running.talks.direct

    await block_user(running.services, identity(home.maja), home.emil.user_id)

    assert running.events(home.maja.user_id) == ["conversation_updated"]
    assert running.events(home.emil.user_id) == []
    assert [await contact(running, who, direct) for who in (home.maja, home.emil)] == ["blocked", "ended"]
    assert [each.blocked_id for each in await list_blocks(running.services, identity(home.maja))] == [home.emil.user_id]
    for who in (home.maja, home.emil):
        with pytest.raises(ContactEnded):
            await send_message(running.services, identity(who), direct, {"body": "hello"})

    await unblock_user(running.services, identity(home.maja), home.emil.user_id)

    assert running.events(home.emil.user_id) == ["conversation_updated"]
    assert await contact(running, home.emil, direct) == "open"


async def test_both_users_learn_of_a_removal_from_the_family(running: RunningServices) -> None:
    home, direct = running.home, running.talks.direct

    await remove_family_member(running.services, identity(home.maja), home.family_id, home.emil.user_id)

    updated = [
        note["payload"]["conversation"]
        for kind, note in running.published
        if kind == "broadcast" and note["event"] == "conversation_updated"
    ]
    assert [each["contact"] for each in updated if each["id"] == direct] == ["ended", "ended"]


async def test_both_users_learn_of_a_return_to_the_family(running: RunningServices) -> None:
    home, direct, services = running.home, running.talks.direct, running.services
    await remove_family_member(services, identity(home.maja), home.family_id, home.emil.user_id)
    created = await create_invite(services, identity(home.maja), home.family_id, "member", timedelta(days=1))
    running.published.clear()

    await accept_invite(services, services.tokens.issue(home.emil.user_id, home.emil.device_id), created.token, ADDRESS)

    updated = [
        note["payload"]["conversation"]
        for kind, note in running.published
        if kind == "broadcast" and note["event"] == "conversation_updated"
    ]
    assert [each["contact"] for each in updated if each["id"] == direct] == ["open", "open"]


async def test_the_other_member_learns_that_a_user_left_and_came_back(running: RunningServices) -> None:
    home, direct = running.home, running.talks.direct

    await remove_group_member(running.services, identity(home.emil), direct, home.emil.user_id)

    assert running.evicted() == {(f"message:direct:{direct}", f"user:{home.emil.user_id}")}
    assert running.events(home.emil.user_id) == ["conversation_left"]
    assert await contact(running, home.maja, direct) == "ended"

    await create_direct_conversation(running.services, identity(home.emil), home.maja.user_id)

    assert running.events(home.emil.user_id)[-1] == "conversation_created"
    assert running.events(home.maja.user_id) == ["conversation_updated"] * 2
    assert await contact(running, home.maja, direct) == "open"


async def test_a_guardian_ends_and_restores_a_contact_of_a_child(running: RunningServices) -> None:
    home, direct, maja = running.home, running.talks.direct, identity(running.home.maja)
    child = home.emil.user_id
    await change_family_role(running.services, maja, home.family_id, child, "child")
    guardian = identity(home.inga)

    await end_child_contact(running.services, guardian, home.family_id, child, home.maja.user_id)

    [found] = await list_child_contacts(running.services, guardian, home.family_id, child)
    assert (found.user_id, found.ended) == (home.maja.user_id, True)
    assert [await contact(running, who, direct) for who in (home.maja, home.emil)] == ["ended", "ended"]

    await restore_child_contact(running.services, guardian, home.family_id, child, home.maja.user_id)

    assert [await contact(running, who, direct) for who in (home.maja, home.emil)] == ["open", "open"]


async def until_diff(client: ChannelClient, topic: str, part: str, person: str) -> None:
    """Wait for a `presence_diff` with this person among its `joins` or `leaves`."""
    while person not in (await client.assert_broadcast(topic, "presence_diff")).payload[part]:
        pass


@pytest.mark.asyncio(loop_scope="module")
async def test_a_block_hides_presence_and_typing_in_every_shared_conversation(shared_app: RunningApp) -> None:
    home = shared_app.home
    maja_id, emil_id = home.maja.user_id, home.emil.user_id
    topics = [f"message:direct:{shared_app.talks.direct}", f"message:group:{shared_app.talks.group}"]
    async with shared_app.connect(home.maja) as maja, shared_app.connect(home.emil) as emil:
        for topic in topics:
            await maja.join(topic)
            await emil.join(topic)
            assert maja_id in (await emil.assert_broadcast(topic, "presence_state")).payload
            await until_diff(maja, topic, "joins", emil_id)

        async with shared_app.http(home.maja) as http:
            assert (await http.put(f"/me/blocks/{emil_id}")).status_code == 204
        for topic in topics:
            await until_diff(maja, topic, "leaves", emil_id)
            await until_diff(emil, topic, "leaves", maja_id)
            await emil.push(topic, "typing", {"typing": True})
            await maja.push(topic, "typing", {"typing": True})
        async with shared_app.connect(home.emil) as again, shared_app.connect(home.inga) as inga:
            await again.join(topics[1])
            assert set((await again.assert_broadcast(topics[1], "presence_state")).payload) == {emil_id}
            await inga.join(topics[1])
            assert {maja_id, emil_id} < set((await inga.assert_broadcast(topics[1], "presence_state")).payload)
            await until_diff(maja, topics[1], "joins", home.inga.user_id)
        received = {frame.event for client in (maja, emil) for frame in client.received}
        assert received.isdisjoint({"typing", "contact_changed"})

        async with shared_app.http(home.maja) as http:
            assert (await http.delete(f"/me/blocks/{emil_id}")).status_code == 204
        for topic in topics:
            await until_diff(maja, topic, "joins", emil_id)
            await emil.push(topic, "typing", {"typing": True})
            assert (await maja.assert_broadcast(topic, "typing")).payload["user_id"] == emil_id
