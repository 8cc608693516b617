import pytest

from famichat.accounts.errors import InvalidCredentials, WeakPassword
from famichat.accounts.user import Newcomer
from famichat.actions.accounts.account import (
    add_account_by_operator,
    delete_account,
    delete_account_by_operator,
    read_account,
    set_password_by_operator,
)
from famichat.actions.accounts.audit_log import read_audit_log
from famichat.chat.errors import NotFound
from famichat.storage.base import new_id
from famichat.telemetry.events import (
    AccountDeleted,
    DeviceRevoked,
    Event,
    FamilyMemberAdded,
    FamilyMemberRemoved,
    GroupMemberRemoved,
)
from tests.factories.people import PASSWORD
from tests.support.services import ADDRESS, RunningServices, identity

NEW_PASSWORD = "en helt annan sak"
REMOVED = (GroupMemberRemoved, FamilyMemberRemoved, AccountDeleted)


async def test_an_account_shows_its_profile_families_and_privacy(running: RunningServices) -> None:
    account = await read_account(running.services, identity(running.home.maja))

    assert account.profile.username == account.user.username == "maja"
    assert [each.family_id for each in account.families] == [running.home.family_id]
    assert account.privacy.read_receipts


@pytest.mark.parametrize("by_operator", [False, True])
async def test_a_deleted_account_is_emitted_disconnected_and_announced(
    running: RunningServices, emitted: list[Event], *, by_operator: bool
) -> None:
    home, talks, emil = running.home, running.talks, running.home.emil
    if by_operator:
        await delete_account_by_operator(running.services, emil.user_id)
    else:
        await delete_account(running.services, identity(emil), PASSWORD, ADDRESS)

    by = None if by_operator else emil.user_id
    assert [each for each in emitted if isinstance(each, REMOVED)] == [
        GroupMemberRemoved(conversation_id=talks.group, user_id=emil.user_id, removed_by_id=by),
        FamilyMemberRemoved(family_id=home.family_id, user_id=emil.user_id, removed_by_id=by),
        AccountDeleted(user_id=emil.user_id),
    ]
    assert running.closed() == [f"user:{emil.user_id}"]
    topics = {f"message:{kind}:{getattr(talks, kind)}" for kind in ("direct", "group", "family")}
    assert running.evicted() == {(topic, f"user:{emil.user_id}") for topic in (*topics, f"user:{emil.user_id}")}
    assert running.events(home.maja.user_id) == ["conversation_updated"] * 3
    with pytest.raises(NotFound):
        await delete_account_by_operator(running.services, emil.user_id)


async def test_an_account_is_deleted_with_its_password_only(running: RunningServices, emitted: list[Event]) -> None:
    with pytest.raises(InvalidCredentials):
        await delete_account(running.services, identity(running.home.emil), "not the password", ADDRESS)

    assert running.published == []
    assert not any(isinstance(each, REMOVED) for each in emitted)


async def test_a_password_that_the_operator_sets_signs_every_device_out(
    running: RunningServices, emitted: list[Event]
) -> None:
    emil = running.home.emil
    with pytest.raises(WeakPassword):
        await set_password_by_operator(running.services, emil.user_id, "emil")
    result = await set_password_by_operator(running.services, emil.user_id, NEW_PASSWORD)

    assert result.device_ids == (emil.device_id,)
    reported = [each for each in emitted if isinstance(each, DeviceRevoked)]
    assert reported == [DeviceRevoked(user_id=emil.user_id, device_id=emil.device_id, cause="password_reset")]
    assert running.closed() == [f"device:{emil.device_id}"]
    page = await read_audit_log(running.services, identity(emil), None, None)
    assert [each.action for each in page.entries] == ["device_revoked", "password_reset"]
    with pytest.raises(NotFound):
        await set_password_by_operator(running.services, new_id(), NEW_PASSWORD)


async def test_an_account_that_the_operator_adds_is_emitted(running: RunningServices, emitted: list[Event]) -> None:
    services, home = running.services, running.home
    alone = await add_account_by_operator(services, Newcomer.parse("olle", None), NEW_PASSWORD, None, "member")
    assert not any(isinstance(each, FamilyMemberAdded) for each in emitted)

    newcomer = Newcomer.parse("pia", None)
    user_id = await add_account_by_operator(services, newcomer, NEW_PASSWORD, home.family_id, "admin")

    assert user_id != alone
    assert FamilyMemberAdded(family_id=home.family_id, user_id=user_id) in emitted
    assert running.events(user_id) == ["conversation_created"]
    assert running.events(home.maja.user_id) == ["conversation_updated"]
