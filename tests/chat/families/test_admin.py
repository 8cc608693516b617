from functools import partial

import pytest

from famichat.accounts.audit_log import AuditEvent, audit_log_of, record
from famichat.accounts.device import add_device, devices_of
from famichat.accounts.errors import NoSuchDevice
from famichat.chat.errors import NotAdmin, NotFound
from famichat.chat.families.admin import devices_of_member, family_audit_log, people_of, sign_out_member
from famichat.chat.families.family import create_family
from famichat.chat.families.membership import add_member, change_role, remove_member
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household


def test_an_admin_signs_a_lost_device_out_and_its_owner_can_read_that(database: Database, household: Household) -> None:
    maja, emil, family = household.maja.user_id, household.emil.user_id, household.family_id
    lost = database.run(lambda session: add_device(session, emil, "Emil's old phone").id)
    found = database.run_read(lambda session: devices_of_member(session, maja, family, emil))
    assert [device.name for device in found][-1] == "Emil's old phone"
    database.run(lambda session: sign_out_member(session, maja, family, emil, lost))

    (entry,) = database.run_read(lambda session: audit_log_of(session, emil).entries)
    assert (entry.action, entry.name, entry.by_name) == ("device_revoked", "Emil's old phone", "maja")
    assert (entry.device_id, entry.family_id) == (lost, family)
    assert lost not in [device.id for device in database.run_read(lambda session: devices_of(session, emil))]


def test_an_unknown_device_or_one_of_another_member_is_refused(database: Database, household: Household) -> None:
    maja, emil, family = household.maja.user_id, household.emil.user_id, household.family_id
    for device_id in (household.inga.device_id, new_id(), "nonsense"):
        with pytest.raises(NoSuchDevice):
            database.run(partial(sign_out_member, actor_id=maja, family_id=family, user_id=emil, device_id=device_id))
    assert database.run_read(lambda session: audit_log_of(session, emil).entries) == []


def test_only_admins_of_the_person_s_family_take_care(database: Database, household: Household) -> None:
    family, device = household.family_id, household.inga.device_id
    for actor, other, fault in (
        (household.emil, household.inga, NotAdmin),
        (household.ada, household.inga, NotFound),
        (household.maja, household.ada, NotFound),
    ):
        look = partial(devices_of_member, actor_id=actor.user_id, family_id=family, user_id=other.user_id)
        sign_out = partial(sign_out_member, actor_id=actor.user_id, family_id=family, user_id=other.user_id)
        with pytest.raises(fault):
            database.run_read(look)
        with pytest.raises(fault):
            database.run(partial(sign_out, device_id=device))
    for who, fault in ((household.emil, NotAdmin), (household.ada, NotFound)):
        with pytest.raises(fault):
            database.run_read(partial(people_of, actor_id=who.user_id, family_id=family))
        with pytest.raises(fault):
            database.run_read(partial(family_audit_log, actor_id=who.user_id, family_id=family))


def test_the_ledger_of_a_family_has_what_its_admins_did_and_nothing_of_groups_or_other_families(
    database: Database, household: Household
) -> None:
    maja, emil, nils, family = (
        household.maja.user_id,
        household.emil.user_id,
        household.nils.user_id,
        household.family_id,
    )
    other = database.run(lambda session: create_family(session, "Okafor", maja).id)
    database.run(lambda session: add_member(session, other, emil, "member"))
    database.run(lambda session: change_role(session, maja, other, emil, "admin"))
    database.run(lambda session: change_role(session, maja, family, emil, "admin"))
    secret = AuditEvent("group_member_removed", name="Surprise for Maja", family_id=family, conversation_id=new_id())
    database.run(lambda session: record(session, secret, concerning=nils, by=emil))
    database.run(lambda session: remove_member(session, emil, family, nils))

    page = database.run_read(lambda session: family_audit_log(session, maja, family))
    reported = [(entry.action, entry.user_id, entry.by_name) for entry in page.entries]
    assert reported == [("family_member_removed", nils, "emil"), ("family_role_changed", emil, "maja")]
    older = database.run_read(lambda session: family_audit_log(session, maja, family, page.entries[0].id, 1))
    assert ([entry.id for entry in older.entries], older.has_more) == ([page.entries[1].id], False)


def test_an_admin_administers_every_member_of_the_family(database: Database, household: Household) -> None:
    people = database.run_read(lambda session: people_of(session, household.maja.user_id, household.family_id))

    assert set(people) == {each.user_id for each in household.everyone}
