import pytest
from sqlalchemy.exc import IntegrityError

from famichat.accounts.device import DeviceKind, add_device, devices_of, revoke_device, revoke_devices
from famichat.accounts.errors import InvalidDeviceName, NoSuchDevice
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household


def test_users_list_their_own_devices_oldest_first(database: Database, household: Household) -> None:
    tablet = database.run(lambda session: add_device(session, household.maja.user_id, " Maja's tablet "))

    found = database.run_read(lambda session: devices_of(session, household.maja.user_id))

    assert [(each.id, each.name) for each in found] == [
        (household.maja.device_id, "maja's phone"),
        (tablet.id, "Maja's tablet"),
    ]


@pytest.mark.parametrize("kind", ["phone", "tablet", "computer", None])
def test_a_device_may_have_a_kind(database: Database, household: Household, kind: DeviceKind | None) -> None:
    maja = household.maja.user_id
    new = database.run(lambda session: add_device(session, maja, "mine", kind)).id

    assert {each.id: each.kind for each in database.run_read(lambda session: devices_of(session, maja))} == {
        household.maja.device_id: None,
        new: kind,
    }


def test_an_unknown_device_kind_is_refused(database: Database, household: Household) -> None:
    with pytest.raises(IntegrityError, match="ck_accounts_devices_kind"):
        database.run(lambda session: add_device(session, household.maja.user_id, "mine", "fridge"))  # type: ignore[arg-type]  # as no caller may


def test_a_revoked_device_cannot_come_back(database: Database, household: Household) -> None:
    maja = household.maja
    database.run(lambda session: revoke_device(session, maja.user_id, maja.device_id))

    assert database.run_read(lambda session: devices_of(session, maja.user_id)) == []
    with pytest.raises(NoSuchDevice):
        database.run(lambda session: revoke_device(session, maja.user_id, maja.device_id))


def test_the_device_of_another_user_is_not_found(database: Database, household: Household) -> None:
    for device_id in (household.emil.device_id, new_id(), "nonsense", ""):
        with pytest.raises(NoSuchDevice):
            database.run(lambda session, it=device_id: revoke_device(session, household.maja.user_id, it))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    assert len(database.run_read(lambda session: devices_of(session, household.emil.user_id))) == 1


def test_all_devices_are_revoked_together_and_returned_once(database: Database, household: Household) -> None:
    maja = household.maja
    tablet = database.run(lambda session: add_device(session, maja.user_id, "tablet"))

    revoked = database.run(lambda session: revoke_devices(session, maja.user_id))

    assert sorted(revoked) == sorted([maja.device_id, tablet.id])
    assert database.run(lambda session: revoke_devices(session, maja.user_id)) == []


@pytest.mark.parametrize("name", ["", "  ", "a" * 65, "a" * 100_000, "tab\0let", "tab\nlet", "\u202etelbat", "\ud800"])
def test_a_device_has_a_name_that_can_be_read(database: Database, household: Household, name: str) -> None:
    with pytest.raises(InvalidDeviceName):
        database.run(lambda session: add_device(session, household.maja.user_id, name))
