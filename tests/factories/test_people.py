from sqlalchemy import select

from famichat.chat.families.family import families_of, members_of
from famichat.chat.records.family import FamilyMembership
from famichat.storage.database import Database
from tests.factories.people import Household


def test_the_sundqvists_share_a_family_and_ada_has_her_own(database: Database, household: Household) -> None:
    sundqvists = database.run_read(lambda session: members_of(session, household.family_id))
    adas = database.run_read(lambda session: families_of(session, household.ada.user_id))

    assert [(each.username, each.role) for each in sundqvists] == [
        ("maja", "admin"),
        ("emil", "member"),
        ("inga", "member"),
        ("nils", "member"),
    ]
    assert [each.name for each in adas] == ["Okafor"]
    assert household.ada.user_id not in {each.user_id for each in sundqvists}


def test_the_household_has_no_other_members(database: Database, household: Household) -> None:
    memberships = database.run_read(lambda session: session.execute(select(FamilyMembership)).all())

    assert len(memberships) == 5
