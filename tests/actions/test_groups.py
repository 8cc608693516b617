"""Group actions: telemetry events and broadcasts."""

import pytest

from famichat.actions.groups import add_group_member, change_group_role, remove_group_member
from famichat.chat.errors import NotAdmin
from famichat.telemetry.events import Event, GroupMemberAdded, GroupMemberRemoved, GroupRoleChanged
from tests.support.services import RunningServices, identity


async def test_a_new_member_gets_the_group_and_the_others_get_the_new_member(
    running: RunningServices, emitted: list[Event]
) -> None:
    home, group, nils = running.home, running.talks.group, running.home.nils.user_id
    for added in (True, False):
        result = await add_group_member(running.services, identity(home.maja), group, nils)
        assert (result.added, result.view["id"]) == (added, group)

    added_events = [event for event in emitted if isinstance(event, GroupMemberAdded)]
    assert added_events == [GroupMemberAdded(conversation_id=group, user_id=nils, added_by_id=home.maja.user_id)]
    assert running.events(nils) == ["conversation_created"]
    assert [running.events(each.user_id) for each in (home.maja, home.emil)] == [["conversation_updated"]] * 2


async def test_the_channels_of_a_removed_member_are_closed_before_the_announcement(
    running: RunningServices, emitted: list[Event]
) -> None:
    home, group, emil = running.home, running.talks.group, running.home.emil.user_id
    with pytest.raises(NotAdmin):
        await remove_group_member(running.services, identity(home.inga), group, emil)
    assert running.published == []

    await remove_group_member(running.services, identity(home.maja), group, emil)

    assert emitted[-1] == GroupMemberRemoved(conversation_id=group, user_id=emil, removed_by_id=home.maja.user_id)
    assert running.evicted() == {(f"message:group:{group}", f"user:{emil}")}
    assert running.published[0][0] == "evict"
    assert running.events(emil) == ["conversation_left"]
    assert [running.events(each.user_id) for each in (home.maja, home.inga)] == [["conversation_updated"]] * 2


async def test_a_new_role_is_emitted_and_announced_once(running: RunningServices, emitted: list[Event]) -> None:
    home, group, emil = running.home, running.talks.group, running.home.emil.user_id
    for _ in range(2):
        await change_group_role(running.services, identity(home.maja), group, emil, "admin")

    changed = [event for event in emitted if isinstance(event, GroupRoleChanged)]
    assert changed == [
        GroupRoleChanged(conversation_id=group, user_id=emil, role="admin", changed_by_id=home.maja.user_id)
    ]
    assert running.events(emil) == ["conversation_updated"]
