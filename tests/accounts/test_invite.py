import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from famichat.accounts.errors import InvalidInvite
from famichat.accounts.invite import (
    MAX_LIFE,
    Invite,
    IssuedInvite,
    create_invite,
    find_invite,
    open_invites,
    revoke_invite,
    use_invite,
)
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from tests.factories.people import Household


@pytest.fixture
def issued(database: Database, household: Household) -> IssuedInvite:
    return database.run(lambda session: create_invite(session, household.family_id, household.maja.user_id))


def test_an_invitation_is_found_by_its_token(database: Database, household: Household, issued: IssuedInvite) -> None:
    found = database.run_read(lambda session: find_invite(session, issued.token))

    assert (found.id, found.family_id, found.role) == (issued.invite.id, household.family_id, "member")
    assert timedelta(days=6) < found.expires_at - now() <= timedelta(days=7)


def test_a_token_is_not_in_the_database(database: Database, issued: IssuedInvite) -> None:
    hashes = database.run_read(lambda session: session.execute(select(Invite.token_hash)).scalars().all())

    assert [len(each) for each in hashes] == [32]
    assert len(issued.token) >= 43, "256 bits"


@pytest.mark.parametrize("token", ["", "nonsense", "\0", "\ud800", "a" * 100_000])
def test_an_invitation_that_was_never_made_is_refused(database: Database, token: str) -> None:
    with pytest.raises(InvalidInvite):
        database.run_read(lambda session: find_invite(session, token))


def test_an_invitation_works_once(database: Database, household: Household, issued: IssuedInvite) -> None:
    database.run(lambda session: use_invite(session, issued.invite, household.ada.user_id))

    with pytest.raises(InvalidInvite):
        database.run(lambda session: use_invite(session, issued.invite, household.ada.user_id))
    with pytest.raises(InvalidInvite):
        database.run_read(lambda session: find_invite(session, issued.token))


def test_an_expired_invitation_is_refused(database: Database, household: Household, issued: IssuedInvite) -> None:
    database.run(lambda session: session.execute(update(Invite).values(expires_at=now())))

    with pytest.raises(InvalidInvite):
        database.run_read(lambda session: find_invite(session, issued.token))
    with pytest.raises(InvalidInvite):
        database.run(lambda session: use_invite(session, issued.invite, household.ada.user_id))


def test_an_invitation_can_be_revoked_by_its_own_family_only(
    database: Database, household: Household, issued: IssuedInvite
) -> None:
    for family_id, invite_id in (
        (household.other_family_id, issued.invite.id),
        (household.family_id, new_id()),
        (household.family_id, "nonsense"),
    ):
        with pytest.raises(InvalidInvite):
            database.run(lambda session, family=family_id, it=invite_id: revoke_invite(session, family, it))  # type: ignore[misc]  # mypy cannot infer a lambda with defaults

    database.run(lambda session: revoke_invite(session, household.family_id, issued.invite.id))

    with pytest.raises(InvalidInvite):
        database.run_read(lambda session: find_invite(session, issued.token))
    assert database.run_read(lambda session: open_invites(session, household.family_id)) == []


@pytest.mark.parametrize("life", [timedelta(0), timedelta(seconds=-1), MAX_LIFE + timedelta(seconds=1)])
def test_the_lifetime_of_an_invitation_is_limited(database: Database, household: Household, life: timedelta) -> None:
    with pytest.raises(ValueError, match="valid"):
        database.run(
            lambda session: create_invite(session, household.family_id, household.maja.user_id, "member", life)
        )


async def test_one_of_fifty_concurrent_uses_of_an_invitation_succeeds(
    database: Database, household: Household, issued: IssuedInvite
) -> None:
    results = await asyncio.gather(
        *(
            database.transaction(lambda session: use_invite(session, issued.invite, household.ada.user_id))
            for _ in range(50)
        ),
        return_exceptions=True,
    )

    assert results.count(None) == 1
    assert sum(isinstance(each, InvalidInvite) for each in results) == 49
