from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import audit_log_of, audit_log_of_family
from famichat.chat.conversations.create import create_direct_conversation
from famichat.chat.errors import ChatError, ContactEnded, NotChild, NotFound, NotGuardian, OwnAccount
from famichat.chat.families.guardians import ChildContact, contacts_of_child, end_contact, restore_contact
from famichat.chat.families.membership import change_role, remove_member
from famichat.chat.records.contact import EndedContact
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import INDEX, Household, Person


@pytest.fixture
def child(database: Database, household: Household) -> Person:
    """Nils, as a child account with a direct conversation with Emil."""

    def make(session: Session) -> None:
        change_role(session, household.maja.user_id, household.family_id, household.nils.user_id, "child")
        pair = household.emil.user_id, household.nils.user_id
        create_direct_conversation(session, *pair, blind_index=INDEX)

    database.run(make)
    return household.nils


def contacts(database: Database, household: Household, child: Person) -> list[ChildContact]:
    family_id, maja = household.family_id, household.maja.user_id
    return database.run_read(lambda session: contacts_of_child(session, maja, family_id, child.user_id))


@pytest.mark.parametrize("guardian", ["maja", "inga"])
def test_admins_and_members_are_guardians_and_the_child_can_read_what_they_did(
    database: Database, household: Household, child: Person, guardian: str
) -> None:
    family_id, emil = household.family_id, household.emil.user_id
    actor: Person = getattr(household, guardian)
    assert contacts(database, household, child) == [ChildContact(emil, ended=False)]

    for _ in range(2):
        database.run(lambda s: end_contact(s, actor.user_id, family_id, child.user_id, emil))
    assert contacts(database, household, child) == [ChildContact(emil, ended=True)]
    for _ in range(2):
        database.run(lambda s: restore_contact(s, actor.user_id, family_id, child.user_id, emil))
    assert contacts(database, household, child) == [ChildContact(emil, ended=False)]

    def history(session: Session) -> tuple[object, int]:
        mine = audit_log_of(session, child.user_id).entries
        of_family = audit_log_of_family(session, family_id).entries
        return [(each.action, each.by_id, each.name) for each in mine][:2], len(of_family)

    entries = [("contact_restored", actor.user_id, "emil"), ("contact_ended", actor.user_id, "emil")]
    assert database.run_read(history) == (entries, 3)


def test_a_contact_can_be_ended_before_there_is_a_conversation(
    database: Database, household: Household, child: Person
) -> None:
    inga = household.inga.user_id
    database.run(lambda s: end_contact(s, household.maja.user_id, household.family_id, child.user_id, inga))

    for pair in ((inga, child.user_id), (child.user_id, inga)):
        with pytest.raises(ContactEnded):
            database.run(partial(_open, pair=pair))


def _open(session: Session, pair: tuple[str, str]) -> object:
    return create_direct_conversation(session, *pair, blind_index=INDEX)


def test_only_guardians_end_contacts_and_only_those_of_children(
    database: Database, household: Household, child: Person
) -> None:
    family_id = household.family_id
    emil, inga, ada = household.emil.user_id, household.inga.user_id, household.ada.user_id
    cases: list[tuple[str, str, str, type[ChatError]]] = [
        (child.user_id, child.user_id, emil, NotGuardian),
        (ada, child.user_id, emil, NotFound),
        (emil, inga, child.user_id, NotChild),
        (emil, ada, inga, NotFound),
        (emil, child.user_id, ada, NotFound),
        (emil, child.user_id, new_id(), NotFound),
        (emil, child.user_id, "x", NotFound),
        (emil, "x", inga, NotFound),
        (emil, child.user_id, child.user_id, OwnAccount),
    ]
    for actor, who, contact, error in cases:
        with pytest.raises(error):
            database.run(partial(end_contact, actor_id=actor, family_id=family_id, child_id=who, contact_id=contact))


@pytest.mark.parametrize("end", ["grown up", "removed"])
def test_ended_contacts_end_with_the_child_account(
    database: Database, household: Household, child: Person, end: str
) -> None:
    family_id, maja = household.family_id, household.maja.user_id
    database.run(lambda s: end_contact(s, maja, family_id, child.user_id, household.emil.user_id))

    if end == "removed":
        database.run(lambda s: remove_member(s, maja, family_id, child.user_id))
    else:
        database.run(lambda s: change_role(s, maja, family_id, child.user_id, "member"))

    assert database.run_read(lambda session: session.execute(select(EndedContact)).all()) == []
