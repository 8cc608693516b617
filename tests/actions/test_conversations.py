"""Conversation actions: telemetry events and broadcasts."""

import pytest
from sqlalchemy import update

from famichat.actions import conversations
from famichat.actions.events.topics import ConversationTopic
from famichat.chat.errors import NotAdmin, NotFound
from famichat.chat.records.conversation import Conversation
from famichat.telemetry.events import ConversationCreated, ConversationHidden, Event, MessageChannelJoined
from tests.support.services import RunningServices, identity
from tests.support.statements import read_statements


async def test_a_new_conversation_is_announced_to_its_members(running: RunningServices, emitted: list[Event]) -> None:
    home = running.home
    actor = identity(home.emil)
    created = await conversations.create_direct_conversation(running.services, actor, home.nils.user_id)

    id_ = created.view["id"]
    assert created.created
    assert emitted[-1] == ConversationCreated(conversation_type="direct", conversation_id=id_, made=True)
    assert [running.events(each.user_id) for each in (home.emil, home.nils)] == [["conversation_created"]] * 2
    assert running.events(home.maja.user_id) == []


async def test_an_existing_conversation_is_announced_to_the_requester_only(
    running: RunningServices, emitted: list[Event]
) -> None:
    home, talks = running.home, running.talks
    found = await conversations.create_direct_conversation(running.services, identity(home.emil), home.maja.user_id)

    assert (found.view["id"], found.created) == (talks.direct, False)
    assert emitted[-1] == ConversationCreated(conversation_type="direct", conversation_id=talks.direct, made=False)
    assert (running.events(home.emil.user_id), running.events(home.maja.user_id)) == (["conversation_updated"], [])


async def test_a_new_name_is_announced_to_each_member(running: RunningServices) -> None:
    home, group = running.home, running.talks.group
    with pytest.raises(NotAdmin):
        await conversations.rename_conversation(running.services, identity(home.emil), group, "Mine")
    assert running.published == []

    view = await conversations.rename_conversation(running.services, identity(home.maja), group, "Summer")

    assert view["name"] == "Summer"
    members = (home.maja, home.emil, home.inga)
    assert [running.events(each.user_id) for each in members] == [["conversation_updated"]] * 3


async def test_a_view_setting_is_announced_to_the_own_devices_and_emitted_once(
    running: RunningServices, emitted: list[Event]
) -> None:
    home, group = running.home, running.talks.group
    for _ in range(2):
        view = await conversations.hide_conversation(running.services, identity(home.emil), group)
        assert view["hidden"]

    hidden = [event for event in emitted if isinstance(event, ConversationHidden)]
    assert hidden == [ConversationHidden(conversation_id=group, user_id=home.emil.user_id)]
    assert running.events(home.emil.user_id) == ["conversation_updated"] * 2
    assert running.events(home.maja.user_id) == []


async def test_a_damaged_conversation_is_left_out_of_the_list_and_of_its_page(running: RunningServices) -> None:
    actor, group = identity(running.home.maja), running.talks.group

    async def listed(limit: int | None = None) -> tuple[set[str], bool]:
        found = await conversations.list_conversations(
            running.services, actor, hidden=False, archived=False, limit=limit
        )
        return {each["id"] for each in found["conversations"]}, found.get("next_cursor") is not None

    before, _ = await listed()
    damage = update(Conversation).where(Conversation.id == group).values(name="Fikb")
    await running.services.write(lambda session: session.execute(damage))

    assert await listed() == (before - {group}, False)
    assert (await listed(limit=1))[1], "the next page exists, although the page may be shorter"


async def test_a_join_evaluates_contact_once(running: RunningServices) -> None:
    topic = ConversationTopic("direct", running.talks.direct)
    with read_statements(running.services.database) as statements:
        await conversations.join_conversation(running.services, identity(running.home.emil), topic, {})

    assert len([each for each in statements if "user_blocks" in each]) == 1


async def test_a_join_is_emitted_and_one_by_an_outsider_is_refused(
    running: RunningServices, emitted: list[Event]
) -> None:
    home, topic = running.home, ConversationTopic("group", running.talks.group)
    joined = await conversations.join_conversation(running.services, identity(home.emil), topic, {})
    with pytest.raises(NotFound):
        await conversations.join_conversation(running.services, identity(home.ada), topic, {})

    [event] = [each for each in emitted if isinstance(each, MessageChannelJoined)]
    assert (event.conversation_id, event.user_id, event.replayed) == (topic.conversation_id, home.emil.user_id, 0)
    assert (joined.conversation["id"], joined.visible_from_seq, joined.discreet) == (topic.conversation_id, 1, False)


async def test_a_rejoin_with_nothing_missed_reads_a_fixed_number_of_statements_and_no_page(
    running: RunningServices,
) -> None:
    home, topic = running.home, ConversationTopic("group", running.talks.group)
    with read_statements(running.services.database) as statements:
        joined = await conversations.join_conversation(
            running.services, identity(home.emil), topic, {"last_seq": 0, "last_change": 0}
        )

    assert (joined.resume.messages, joined.resume.has_more, joined.resume.changes["changes"]) == ([], False, [])
    pages = [each for each in statements if "messages.body" in each and "ORDER BY" in each]
    assert pages == []
    assert len([each for each in statements if "FROM" in each]) <= 9, statements
