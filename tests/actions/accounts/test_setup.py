from dataclasses import replace
from pathlib import Path

import pytest

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import AlreadySetUp, InvalidSetupCode, UsernameTaken
from famichat.accounts.user import Newcomer
from famichat.actions.accounts.account import add_account_by_operator
from famichat.actions.accounts.setup import NewAccount, needs_setup, set_up_server
from famichat.actions.rate_limit import LIMITS, RateLimited
from famichat.app.services import build_services
from famichat.settings import Settings
from famichat.telemetry.events import Event, FamilyMemberAdded, SessionStarted
from tests.factories.people import PASSWORD
from tests.support.services import ADDRESS

ACCOUNT, DEVICE = NewAccount("maja", PASSWORD), NewDevice("A phone")


async def test_the_first_member_is_emitted_and_signed_in(tmp_path: Path, emitted: list[Event]) -> None:
    async with build_services(Settings(data_dir=tmp_path)) as services:
        assert await needs_setup(services)
        with pytest.raises(InvalidSetupCode):
            await set_up_server(services, "AAAA-AAAA", "Berg", ACCOUNT, DEVICE, ADDRESS)
        code = f" {services.setup_code} ".lower()
        member = await set_up_server(services, code, "Berg", ACCOUNT, DEVICE, ADDRESS)
        with pytest.raises(AlreadySetUp):
            await set_up_server(services, code, "Berg", replace(ACCOUNT, username="emil"), DEVICE, ADDRESS)
        assert await services.identify(member.session.access_token) == member.session.identity

    reported = [each for each in emitted if isinstance(each, FamilyMemberAdded | SessionStarted)]
    user_id, device_id = member.session.identity.user_id, member.session.identity.device_id
    assert reported == [
        FamilyMemberAdded(family_id=member.family_id, user_id=user_id),
        SessionStarted(user_id=user_id, device_id=device_id),
    ]


async def test_a_name_that_the_operator_has_given_away_is_answered_with_free_ones(tmp_path: Path) -> None:
    async with build_services(Settings(data_dir=tmp_path)) as services:
        await add_account_by_operator(services, Newcomer.parse("maja", None), PASSWORD, None, "member")
        with pytest.raises(UsernameTaken) as refusal:
            await set_up_server(services, services.setup_code or "", "Berg", ACCOUNT, DEVICE, ADDRESS)
        suggestion = refusal.value.details["suggestions"][0]
        account = replace(ACCOUNT, username=suggestion)
        member = await set_up_server(services, services.setup_code or "", "Berg", account, DEVICE, ADDRESS)

    assert suggestion.startswith("maja")
    assert member.family_id


async def test_the_right_code_sets_up_at_an_address_that_guessed_too_often(tmp_path: Path) -> None:
    async with build_services(Settings(data_dir=tmp_path)) as services:
        for _ in range(int(LIMITS["sign_in"].burst)):
            with pytest.raises(InvalidSetupCode):
                await set_up_server(services, "AAAA-AAAA", "Berg", ACCOUNT, DEVICE, ADDRESS)
        with pytest.raises(RateLimited):
            await set_up_server(services, "AAAA-AAAA", "Berg", ACCOUNT, DEVICE, ADDRESS)

        await set_up_server(services, services.setup_code or "", "Berg", ACCOUNT, DEVICE, ADDRESS)
        assert not await needs_setup(services)
