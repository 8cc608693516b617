"""Deleting an account: permission, deleted data, and data that other users keep."""

import pytest
from sqlalchemy import MetaData, Table, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import audit_log_of
from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials, InvalidInvite
from famichat.accounts.invite import find_invite, open_invites
from famichat.accounts.sign_in.session import start_session
from famichat.accounts.user import Newcomer, User, find_user, register
from famichat.chat.access import conversation_for, conversations_of
from famichat.chat.account_deletion import AccountDeletion, delete_account, delete_orphans
from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.chat.conversations.view_settings import hide_conversation
from famichat.chat.errors import LastAdmin, NotFound
from famichat.chat.families.family import families_of, members_of, needs_setup
from famichat.chat.families.join import invite
from famichat.chat.families.membership import add_member, change_role, remove_member
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.groups.roles import assign_admin, is_admin
from famichat.chat.messages.history import messages_before
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import Family
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.message import Message
from famichat.chat.records.participant import participants
from famichat.push.preferences import PushPreferences, change_preferences
from famichat.push.subscription import Subscription, subscribe
from famichat.storage.base import now
from famichat.storage.database import Database
from tests.factories.people import INDEX, PASSWORD_HASH, VAULT, Household, Person
from tests.factories.talk import acknowledged, direct_of, group_of, say

BROWSER = Subscription(
    "https://push.example.org/a",
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "BTBZMqHH6r4Tts7J_aSIgg",
)


def go(database: Database, who: Person) -> AccountDeletion:
    farewell = database.run(lambda session: delete_account(session, who.user_id))
    while database.run(delete_orphans):
        pass
    return farewell


def rows_that_name(session: Session, *values: str) -> dict[str, int]:
    """Count the rows of each table of the database that contain one of these values in any column."""
    everything = MetaData()
    everything.reflect(session.connection())
    return {
        name: found for name, table in everything.tables.items() if (found := _rows_with(session, table, set(values)))
    }


def _rows_with(session: Session, table: Table, values: set[str]) -> int:
    return sum(any(str(cell) in values for cell in row) for row in session.execute(select(table)))


def live_a_little(session: Session, household: Household) -> dict[str, str]:
    """Create rows for Emil in every table that refers to a user."""
    emil, maja, family_id = household.emil, household.maja, household.family_id
    talks = {
        "self": create_self_conversation(session, emil.user_id).conversation.id,
        "direct": direct_of(session, household),
        "group": group_of(session, household),
        "family": create_family_conversation(session, maja.user_id, family_id).conversation.id,
    }
    for talk in talks.values():
        say(session, talk, emil, "hej", "hopp")
        acknowledged(session, talk, emil, 2)
    start_session(session, emil.user_id, NewDevice("Emil's computer"))
    subscribe(session, emil.device_id, BROWSER, VAULT, INDEX)
    change_preferences(session, emil.user_id, PushPreferences("full"))
    assign_admin(session, maja.user_id, talks["group"], emil.user_id)
    assign_admin(session, emil.user_id, talks["group"], household.inga.user_id)
    change_role(session, maja.user_id, family_id, emil.user_id, "admin")
    invite(session, emil.user_id, family_id)
    return talks


def test_only_the_id_and_sent_messages_of_a_deleted_account_remain(database: Database, household: Household) -> None:
    emil = household.emil
    talks = database.run(lambda session: live_a_little(session, household))
    secrets = (emil.user_id, emil.device_id, "emil", "emil's phone", "Emil's computer")

    go(database, emil)

    left = database.run_read(lambda session: rows_that_name(session, *secrets))
    assert left == {"accounts_users": 1, "messages": 6, "ledger_entries": 3, "removed_access": 1}
    row = database.run_read(lambda session: session.get_one(User, emil.user_id))
    kept = {each.name for each in User.__table__.columns if getattr(row, each.key) is not None}
    assert kept == {each.name for each in User.__table__.columns if not each.nullable} | {"deleted_at"}
    assert kept.isdisjoint({"username", "username_key", "username_look", "password_hash", "email", "email_index"})
    for kind in ("direct", "group", "family"):
        page = database.run_read(
            lambda session, it=talks[kind]: messages_before(  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                session, conversation_for(session, household.maja.user_id, it), vault=VAULT
            )["messages"]
        )
        assert [(each["user_id"], each["body"]) for each in page] == [(emil.user_id, "hej"), (emil.user_id, "hopp")]


def test_privileges_and_audit_events_of_others_remain(database: Database, household: Household) -> None:
    talks = database.run(lambda session: live_a_little(session, household))

    go(database, household.emil)

    inga = household.inga.user_id
    entries = database.run_read(lambda session: audit_log_of(session, inga).entries)
    assert [(each.action, each.by_id, each.by_name) for each in entries] == [
        ("group_role_changed", household.emil.user_id, "emil")
    ]
    granted = database.run_read(
        lambda session: session.execute(
            select(GroupPrivilege.role, GroupPrivilege.granted_by_id).where(
                GroupPrivilege.conversation_id == talks["group"], GroupPrivilege.user_id == inga
            )
        ).one()
    )
    assert granted == ("admin", None)


def test_the_result_lists_the_left_and_the_remaining_conversations(database: Database, household: Household) -> None:
    talks = database.run(lambda session: live_a_little(session, household))

    farewell = go(database, household.emil)

    assert (farewell.user_id, farewell.family_ids) == (household.emil.user_id, (household.family_id,))
    assert dict(farewell.left) == talks
    assert set(farewell.remaining) == set(talks.values()) - {talks["self"]}
    for kind in ("direct", "group", "family"):
        there = database.run_read(lambda session, it=talks[kind]: participants(session, it))  # type: ignore[misc]  # as above
        assert household.emil.user_id not in there
        assert household.maja.user_id in there


def test_a_deleted_account_cannot_sign_in(database: Database, household: Household) -> None:
    emil, phone = household.emil, NewDevice("A phone")
    go(database, emil)

    assert database.run_read(lambda session: find_user(session, "emil", INDEX)) is None
    for verified_hash in (PASSWORD_HASH, None):
        with pytest.raises(InvalidCredentials):
            database.run(lambda session, it=verified_hash: start_session(session, emil.user_id, phone, it))  # type: ignore[misc]  # as above


def test_the_name_and_the_address_are_free_for_another_person(database: Database, household: Household) -> None:
    go(database, household.emil)

    newcomer = Newcomer.parse("Emil", "emil@example.org")
    another = database.run(lambda session: register(session, newcomer, PASSWORD_HASH, VAULT, INDEX))

    assert another.id != household.emil.user_id
    assert database.run_read(lambda session: find_user(session, "emil@example.org", INDEX)).id == another.id  # type: ignore[union-attr]  # it is there
    assert database.run_read(lambda session: families_of(session, another.id)) == []


def test_the_last_admin_of_a_family_with_others_in_it_stays(database: Database, household: Household) -> None:
    with pytest.raises(LastAdmin):
        go(database, household.maja)
    assert database.run_read(lambda session: session.get_one(User, household.maja.user_id)).username == "maja"

    maja, emil = household.maja.user_id, household.emil.user_id
    database.run(lambda session: change_role(session, maja, household.family_id, emil, "admin"))
    go(database, household.maja)

    roster = database.run_read(lambda session: members_of(session, household.family_id))
    assert [(each.username, each.role) for each in roster] == [
        ("emil", "admin"),
        ("inga", "member"),
        ("nils", "member"),
    ]


def test_the_last_admin_of_a_group_with_others_in_it_stays(database: Database, household: Household) -> None:
    emil, inga = household.emil, household.inga
    others = [household.maja.user_id, inga.user_id]
    made = database.run(lambda session: create_group_conversation(session, emil.user_id, "Fika", others))
    group = made.conversation.id
    with pytest.raises(LastAdmin):
        go(database, emil)

    database.run(lambda session: assign_admin(session, emil.user_id, group, inga.user_id))
    go(database, emil)

    assert database.run_read(lambda session: is_admin(session, group, inga.user_id))


def test_a_family_without_other_members_is_deleted_too(database: Database, household: Household) -> None:
    ada, family_id = household.ada.user_id, household.other_family_id
    talk = database.run(lambda session: create_family_conversation(session, ada)).conversation.id
    token = database.run(lambda session: invite(session, ada, family_id)).token
    database.run(lambda session: say(session, talk, household.ada, "is anybody there?"))

    farewell = go(database, household.ada)

    assert (farewell.left, farewell.remaining) == ((("family", talk),), ())
    assert database.run_read(lambda session: session.get(Family, family_id)) is None
    assert database.run_read(lambda session: session.get(Conversation, talk)) is None
    assert database.run_read(lambda session: session.execute(select(Message.id)).all()) == []
    with pytest.raises(InvalidInvite):
        database.run_read(lambda session: find_invite(session, token))


def test_a_group_without_other_members_is_deleted_too(database: Database, household: Household) -> None:
    emil, maja, inga = household.emil, household.maja.user_id, household.inga.user_id
    made = database.run(lambda session: create_group_conversation(session, emil.user_id, "Fika", [maja, inga]))
    group = made.conversation.id
    for user_id in (maja, inga):
        database.run(lambda session, it=user_id: remove_from_group(session, it, group, it))  # type: ignore[misc]  # as above

    go(database, emil)

    assert database.run_read(lambda session: session.get(Conversation, group)) is None


def test_a_direct_conversation_remains_until_both_accounts_are_deleted(
    database: Database, household: Household
) -> None:
    maja, emil = household.maja, household.emil
    direct = database.run(lambda session: direct_of(session, household))
    database.run(lambda session: say(session, direct, maja, "hej"))
    go(database, emil)

    listed = database.run_read(lambda session: conversations_of(session, maja.user_id))
    assert [access.conversation.id for access in listed] == [direct]
    seen = database.run(lambda session: hide_conversation(session, maja.user_id, direct))
    assert seen.changed
    with pytest.raises(NotFound):
        database.run_read(lambda session: conversation_for(session, emil.user_id, direct))

    inga = household.inga.user_id
    database.run(lambda session: change_role(session, maja.user_id, household.family_id, inga, "admin"))
    go(database, maja)

    assert database.run_read(lambda session: session.get(Conversation, direct)) is None


def test_an_empty_family_is_kept_while_a_former_member_has_a_conversation_of_it(
    database: Database, household: Household
) -> None:
    ada, nils, family_id = household.ada, household.nils, household.other_family_id
    database.run(lambda session: add_member(session, family_id, nils.user_id, "member"))
    pair = ada.user_id, nils.user_id
    made = database.run(lambda session: create_direct_conversation(session, *pair, family_id, blind_index=INDEX))
    direct = made.conversation.id
    database.run(lambda session: remove_member(session, nils.user_id, family_id, nils.user_id))

    go(database, ada)

    assert database.run_read(lambda session: conversation_for(session, nils.user_id, direct)).user_id == nils.user_id
    assert database.run_read(lambda session: members_of(session, family_id)) == []

    go(database, nils)

    assert database.run_read(lambda session: session.get(Family, family_id)) is None


def test_after_the_last_deletion_the_server_has_no_data(database: Database, household: Household) -> None:
    for who in (household.emil, household.inga, household.nils, household.maja, household.ada):
        go(database, who)

    assert database.run_read(needs_setup)
    assert database.run_read(lambda session: session.execute(select(Conversation.id)).all()) == []


def test_invitations_of_the_deleted_user_are_revoked(database: Database, household: Household) -> None:
    database.run(lambda session: live_a_little(session, household))
    assert len(database.run_read(lambda session: open_invites(session, household.family_id))) == 1

    go(database, household.emil)

    assert database.run_read(lambda session: open_invites(session, household.family_id)) == []


def test_the_database_refuses_half_an_account(database: Database, household: Household) -> None:
    emil = household.emil.user_id
    for change in ({"username": None}, {"password_hash": None}, {"deleted_at": now()}):
        with pytest.raises(IntegrityError):
            database.run(
                lambda session, it=change: session.execute(update(User).where(User.id == emil).values(**it))  # type: ignore[misc]  # as above
            )
    go(database, household.emil)
    for back in ({"username": "emil"}, {"password_hash": PASSWORD_HASH}, {"deleted_at": None}):
        with pytest.raises(IntegrityError):
            database.run(
                lambda session, it=back: session.execute(update(User).where(User.id == emil).values(**it))  # type: ignore[misc]  # as above
            )
