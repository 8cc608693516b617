import asyncio

import pytest
from sqlalchemy import func, select

from famichat.accounts.errors import AlreadySetUp, InvalidInvite, UsernameTaken
from famichat.accounts.invite import find_invite
from famichat.accounts.user import Newcomer, User, find_user
from famichat.chat.errors import NotAdmin, NotFound
from famichat.chat.families.family import families_of, needs_setup
from famichat.chat.families.join import JoinedFamily, accept, accept_as_newcomer, invite, read_invitation, set_up
from famichat.chat.records.family import Family
from famichat.storage.database import Database
from tests.factories.people import INDEX, PASSWORD_HASH, VAULT, Household


def set_up_as(database: Database, username: str, family_name: str = "Sundqvist") -> JoinedFamily:
    newcomer = Newcomer.parse(username, None)
    return database.run(lambda session: set_up(session, family_name, newcomer, PASSWORD_HASH, VAULT, INDEX))


def count(database: Database, record: type[User | Family]) -> int:
    return database.run_read(lambda session: session.execute(select(func.count()).select_from(record)).scalar_one())


@pytest.fixture
def token(database: Database, household: Household) -> str:
    """Maja's invitation to the Sundqvist family."""
    return database.run(lambda session: invite(session, household.maja.user_id, household.family_id)).token


def test_the_first_person_founds_the_first_family(database: Database) -> None:
    arrival = set_up_as(database, "maja")

    [family] = database.run_read(lambda session: families_of(session, arrival.user_id))
    assert (family.family_id, family.name, family.role) == (arrival.family_id, "Sundqvist", "admin")
    assert not database.run_read(needs_setup)


def test_a_server_is_set_up_once(database: Database, household: Household) -> None:
    with pytest.raises(AlreadySetUp):
        set_up_as(database, "eve")

    assert database.run_read(lambda session: find_user(session, "eve", INDEX)) is None


async def test_of_twenty_who_set_up_at_once_one_succeeds(database: Database) -> None:
    newcomers = [Newcomer.parse(f"person {number}", None) for number in range(20)]

    results = await asyncio.gather(
        *(
            database.transaction(lambda s, it=each: set_up(s, "Sundqvist", it, PASSWORD_HASH, VAULT, INDEX))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            for each in newcomers
        ),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in results) == ["AlreadySetUp"] * 19 + ["JoinedFamily"]
    assert (count(database, User), count(database, Family)) == (1, 1)


def test_only_an_admin_invites(database: Database, household: Household) -> None:
    with pytest.raises(NotAdmin):
        database.run(lambda session: invite(session, household.emil.user_id, household.family_id))
    with pytest.raises(NotFound):
        database.run(lambda session: invite(session, household.ada.user_id, household.family_id))


def test_an_invitation_tells_the_family_the_role_and_until_when(
    database: Database, household: Household, token: str
) -> None:
    found = database.run_read(lambda session: read_invitation(session, token))

    assert (found.family_id, found.family_name, found.role) == (household.family_id, "Sundqvist", "member")


def test_a_newcomer_gets_an_account_and_the_family_that_the_invitation_is_for(
    database: Database, household: Household, token: str
) -> None:
    newcomer = Newcomer.parse("olle", None)

    arrival = database.run(lambda s: accept_as_newcomer(s, token, newcomer, PASSWORD_HASH, VAULT, INDEX))

    families = database.run_read(lambda session: families_of(session, arrival.user_id))
    assert [(each.family_id, each.role) for each in families] == [(household.family_id, "member")]


def test_a_name_that_is_taken_leaves_the_invitation_good(database: Database, household: Household, token: str) -> None:
    newcomer = Newcomer.parse("Emil", None)

    with pytest.raises(UsernameTaken):
        database.run(lambda s: accept_as_newcomer(s, token, newcomer, PASSWORD_HASH, VAULT, INDEX))

    database.run_read(lambda session: find_invite(session, token))


def test_a_user_with_an_account_joins_another_family(database: Database, household: Household, token: str) -> None:
    arrival = database.run(lambda session: accept(session, token, household.ada.user_id))

    names = [each.name for each in database.run_read(lambda s: families_of(s, household.ada.user_id))]
    assert arrival.joined
    assert names == ["Okafor", "Sundqvist"]
    with pytest.raises(InvalidInvite):
        database.run(lambda session: accept(session, token, household.maja.user_id))


def test_a_member_does_not_use_up_an_invitation(database: Database, household: Household, token: str) -> None:
    arrival = database.run(lambda session: accept(session, token, household.emil.user_id))

    assert not arrival.joined
    database.run_read(lambda session: find_invite(session, token))


async def test_of_fifty_newcomers_with_one_invitation_one_arrives(
    database: Database, household: Household, token: str
) -> None:
    newcomers = [Newcomer.parse(f"person {number}", None) for number in range(50)]

    results = await asyncio.gather(
        *(
            database.transaction(
                lambda s, it=each: accept_as_newcomer(s, token, it, PASSWORD_HASH, VAULT, INDEX)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            )
            for each in newcomers
        ),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in results) == ["InvalidInvite"] * 49 + ["JoinedFamily"]
    assert count(database, User) == 6, "the household, and one more"
