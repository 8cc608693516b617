import pytest
from sqlalchemy.exc import IntegrityError

from famichat.accounts.device import DeviceKind, add_device, devices_of, kinds_of, revoke_device, revoke_devices
from famichat.accounts.errors import InvalidDeviceName, NoSuchDevice
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household


def test_a_person_sees_the_own_devices_the_oldest_first(database: Database, household: Household) -> None:
    tablet = database.run(lambda session: add_device(session, household.maja.user_id, " Maja's tablet "))

    found = database.run_read(lambda session: devices_of(session, household.maja.user_id))

    assert [(each.id, each.name) for each in found] == [
        (household.maja.device_id, "maja's phone"),
        (tablet.id, "Maja's tablet"),
    ]


@pytest.mark.parametrize("kind", ["phone", "tablet", "computer", None])
def test_a_device_may_say_what_people_call_such_a_one(
    database: Database, household: Household, kind: DeviceKind | None
) -> None:
    new = database.run(lambda session: add_device(session, household.maja.user_id, "mine", kind)).id

    asked = [new, household.emil.device_id]
    assert database.run_read(lambda session: kinds_of(session, asked)) == {new: kind, household.emil.device_id: None}


def test_a_device_is_of_no_other_kind(database: Database, household: Household) -> None:
    with pytest.raises(IntegrityError, match="ck_accounts_devices_kind"):
        database.run(lambda session: add_device(session, household.maja.user_id, "mine", "fridge"))  # type: ignore[arg-type]  # as no caller may


def test_a_revoked_device_is_gone_for_good(database: Database, household: Household) -> None:
    maja = household.maja
    database.run(lambda session: revoke_device(session, maja.user_id, maja.device_id))

    assert database.run_read(lambda session: devices_of(session, maja.user_id)) == []
    with pytest.raises(NoSuchDevice):
        database.run(lambda session: revoke_device(session, maja.user_id, maja.device_id))


def test_nobody_revokes_anothers_device_or_learns_of_it(database: Database, household: Household) -> None:
    for device_id in (household.emil.device_id, new_id(), "nonsense", ""):
        with pytest.raises(NoSuchDevice):
            database.run(lambda session, it=device_id: revoke_device(session, household.maja.user_id, it))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    assert len(database.run_read(lambda session: devices_of(session, household.emil.user_id))) == 1


def test_all_devices_go_at_once_and_are_named_once(database: Database, household: Household) -> None:
    maja = household.maja
    tablet = database.run(lambda session: add_device(session, maja.user_id, "tablet"))

    revoked = database.run(lambda session: revoke_devices(session, maja.user_id))

    assert sorted(revoked) == sorted([maja.device_id, tablet.id])
    assert database.run(lambda session: revoke_devices(session, maja.user_id)) == []


@pytest.mark.parametrize("name", ["", "  ", "a" * 65, "a" * 100_000, "tab\0let", "tab\nlet", "\u202etelbat", "\ud800"])
def test_a_device_has_a_name_that_can_be_read(database: Database, household: Household, name: str) -> None:
    with pytest.raises(InvalidDeviceName):
        database.run(lambda session: add_device(session, household.maja.user_id, name))
