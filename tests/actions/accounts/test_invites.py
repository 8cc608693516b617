from datetime import timedelta

import pytest

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidInvite
from famichat.actions.accounts.invites import (
    accept_invite,
    accept_invite_as_new_user,
    create_invite,
    create_invite_by_operator,
    list_invites,
    preview_invite,
    revoke_invite,
    revoke_invite_by_operator,
)
from famichat.actions.accounts.setup import NewAccount
from famichat.telemetry.events import Event, FamilyMemberAdded, InviteCreated, SessionStarted
from tests.factories.people import PASSWORD
from tests.support.services import ADDRESS, PUBLIC_URL, RunningServices, identity

DAY = timedelta(days=1)


async def test_an_invite_is_emitted_with_its_creator(running: RunningServices, emitted: list[Event]) -> None:
    services, home = running.services, running.home
    created = await create_invite(services, identity(home.maja), home.family_id, "member", DAY)
    by_operator = await create_invite_by_operator(services, home.family_id, "admin", DAY)

    assert created.url == f"{PUBLIC_URL}/invite#{created.token}"
    reported = [each for each in emitted if isinstance(each, InviteCreated)]
    assert [(each.invite_id, each.role, each.created_by_id) for each in reported] == [
        (created.invite.id, "member", home.maja.user_id),
        (by_operator.invite.id, "admin", None),
    ]


async def test_a_revoked_invite_cannot_be_accepted(running: RunningServices) -> None:
    services, home, maja = running.services, running.home, identity(running.home.maja)
    tokens = []
    for revoke in (False, True):
        created = await create_invite(services, maja, home.family_id, "member", DAY)
        tokens.append(created.token)
        if revoke:
            await revoke_invite_by_operator(services, home.family_id, created.invite.id)
        else:
            await revoke_invite(services, maja, home.family_id, created.invite.id)

    assert await list_invites(services, maja, home.family_id) == []
    for token in tokens:
        with pytest.raises(InvalidInvite):
            await preview_invite(services, token, ADDRESS)


async def test_a_new_member_is_emitted_signed_in_and_announced_to_the_family(
    running: RunningServices, emitted: list[Event]
) -> None:
    services, home = running.services, running.home
    created = await create_invite(services, identity(home.maja), home.family_id, "member", DAY)
    account = NewAccount("olle", PASSWORD)
    member = await accept_invite_as_new_user(services, created.token, account, NewDevice("A phone"), ADDRESS)

    user_id, device_id = member.session.identity.user_id, member.session.identity.device_id
    assert emitted[-2:] == [
        FamilyMemberAdded(family_id=home.family_id, user_id=user_id),
        SessionStarted(user_id=user_id, device_id=device_id),
    ]
    assert running.events(user_id) == ["conversation_created"]
    assert running.events(home.maja.user_id) == ["conversation_updated"]


async def test_an_existing_account_joins_once(running: RunningServices, emitted: list[Event]) -> None:
    services, home = running.services, running.home
    created = await create_invite(services, identity(home.maja), home.family_id, "member", DAY)
    token = services.tokens.issue(home.ada.user_id, home.ada.device_id)
    joined = await accept_invite(services, token, created.token, ADDRESS)

    assert (joined.user_id, joined.joined) == (home.ada.user_id, True)
    assert emitted[-1] == FamilyMemberAdded(family_id=home.family_id, user_id=home.ada.user_id)
    assert running.events(home.ada.user_id) == ["conversation_created"]
    assert running.events(home.emil.user_id) == ["conversation_updated"]


async def test_a_member_who_accepts_an_invite_is_not_announced(running: RunningServices, emitted: list[Event]) -> None:
    services, home = running.services, running.home
    created = await create_invite(services, identity(home.maja), home.family_id, "member", DAY)
    token = services.tokens.issue(home.emil.user_id, home.emil.device_id)
    joined = await accept_invite(services, token, created.token, ADDRESS)

    assert not joined.joined
    assert running.published == []
    assert not any(isinstance(each, FamilyMemberAdded) for each in emitted)
