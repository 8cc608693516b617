import pytest

from famichat.actions.families import change_family_role_by_operator, create_family_by_operator
from famichat.chat.errors import InvalidName, LastAdmin
from famichat.telemetry.events import Event, FamilyMemberAdded, FamilyRoleChanged
from tests.support.services import RunningServices


async def test_a_family_that_the_operator_creates_is_emitted(running: RunningServices, emitted: list[Event]) -> None:
    with pytest.raises(InvalidName):
        await create_family_by_operator(running.services, " ", running.home.ada.user_id)
    family = await create_family_by_operator(running.services, "Strand", running.home.ada.user_id)

    assert family.name == "Strand"
    assert emitted[-1] == FamilyMemberAdded(family_id=family.id, user_id=running.home.ada.user_id)


async def test_a_role_changed_by_the_operator_is_emitted_and_announced_to_the_family(
    running: RunningServices, emitted: list[Event]
) -> None:
    home, emil = running.home, running.home.emil.user_id
    with pytest.raises(LastAdmin):
        await change_family_role_by_operator(running.services, home.family_id, home.maja.user_id, "member")
    assert running.published == []

    await change_family_role_by_operator(running.services, home.family_id, emil, "admin")

    assert emitted[-1] == FamilyRoleChanged(family_id=home.family_id, user_id=emil, role="admin", changed_by_id=None)
    assert [running.events(each.user_id) for each in home.everyone] == [["conversation_updated", "family_updated"]] * 4
    assert running.events(home.ada.user_id) == []
