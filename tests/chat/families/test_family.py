import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from famichat.accounts.user import User
from famichat.chat.errors import InvalidName, NotAdmin, NotFound
from famichat.chat.families.family import (
    create_family,
    families_of,
    members_of,
    needs_setup,
    require_admin,
    role_in,
)
from famichat.chat.records.family import Family, FamilyMembership
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.errors import DataDamaged
from famichat.telemetry.events import Event, RowDamaged
from tests.factories.people import Household


def test_the_creator_of_a_family_is_its_admin(database: Database, household: Household) -> None:
    ada = household.ada.user_id
    family = database.run(lambda session: create_family(session, " Lovelace ", ada))

    assert [(each.name, each.role) for each in database.run_read(lambda session: families_of(session, ada))] == [
        ("Okafor", "admin"),
        ("Lovelace", "admin"),
    ]
    assert [each.username for each in database.run_read(lambda session: members_of(session, family.id))] == ["ada"]


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a" * 100_000, "Sund\0qvist", "Sund\nqvist", "\u202eqvist"])
def test_a_family_has_a_name_that_can_be_read(database: Database, household: Household, name: str) -> None:
    with pytest.raises(InvalidName):
        database.run(lambda session: create_family(session, name, household.ada.user_id))


def test_a_new_server_needs_to_be_set_up(database: Database) -> None:
    assert database.run_read(needs_setup)


def test_a_server_with_a_family_does_not(database: Database, household: Household) -> None:
    assert not database.run_read(needs_setup)


def test_each_member_has_a_role_in_the_family(database: Database, household: Household) -> None:
    def role(user_id: str) -> str:
        return database.run_read(lambda session: role_in(session, household.family_id, user_id))

    assert [role(each.user_id) for each in household.everyone] == ["admin", "member", "member", "member"]


def test_strangers_cannot_tell_a_family_from_none(database: Database, household: Household) -> None:
    ada = household.ada.user_id
    for family_id, user_id in (
        (household.family_id, ada),
        (new_id(), ada),
        ("nonsense", ada),
        (household.family_id.upper(), household.maja.user_id),
        (household.family_id, "\0"),
    ):
        with pytest.raises(NotFound):
            database.run_read(lambda session, family=family_id, user=user_id: role_in(session, family, user))  # type: ignore[misc]  # mypy cannot infer a lambda with defaults


def test_only_an_admin_passes_as_one(database: Database, household: Household) -> None:
    database.run_read(lambda session: require_admin(session, household.family_id, household.maja.user_id))

    with pytest.raises(NotAdmin):
        database.run_read(lambda session: require_admin(session, household.family_id, household.emil.user_id))
    with pytest.raises(NotFound):
        database.run_read(lambda session: require_admin(session, household.family_id, household.ada.user_id))


def test_damaged_names_are_not_shown_and_a_damaged_membership_gives_no_access(
    database: Database, household: Household, emitted: list[Event]
) -> None:
    maja, emil, nils = household.maja.user_id, household.emil.user_id, household.nils.user_id

    def damage(session: Session) -> None:
        session.execute(update(User).where(User.id == emil).values(display_name="Dae"))
        session.execute(update(Family).where(Family.id == household.family_id).values(name="Sundqvisu"))
        session.execute(update(FamilyMembership).where(FamilyMembership.user_id == nils).values(role="admin"))

    database.run(damage)

    names = database.run_read(
        lambda session: [each.profile.shown_name for each in members_of(session, household.family_id)]
    )
    assert names == ["maja", "?", "inga"], "Emil's name is unknown, and Nils may not be a member"
    assert [each.name for each in database.run_read(lambda session: families_of(session, maja))] == ["?"]
    assert database.run_read(lambda session: families_of(session, nils)) == []
    with pytest.raises(DataDamaged):
        database.run_read(lambda session: role_in(session, household.family_id, nils))
    damaged = {each.table for each in emitted if isinstance(each, RowDamaged)}
    assert damaged == {"accounts_users", "families", "family_memberships"}
