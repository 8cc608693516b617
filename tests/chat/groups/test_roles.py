import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from famichat.accounts.user import User
from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_self_conversation,
)
from famichat.chat.errors import LastAdmin, NotAdmin, NotFound, NotGroupConversation, NotParticipant
from famichat.chat.groups.roles import GroupRoleChange, assign_admin, assign_member, is_admin, remove
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from tests.factories.people import INDEX, Household
from tests.factories.talk import group_of

Change = Callable[[Session, str, str, str], GroupRoleChange]

CHANGES: dict[str, Change] = {"assign_admin": assign_admin, "assign_member": assign_member, "remove": remove}
every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@pytest.fixture
def group(database: Database, household: Household) -> str:
    """A group of Maja (admin), Emil and Inga."""
    return database.run(lambda session: group_of(session, household))


def do(database: Database, change: Change, granter_id: str, conversation_id: str, user_id: str) -> GroupRoleChange:
    return database.run(lambda session: change(session, granter_id, conversation_id, user_id))


def admins(database: Database, household: Household, conversation_id: str) -> set[str]:
    return {
        each.username
        for each in (*household.everyone, household.ada)
        if database.run_read(lambda session, it=each.user_id: is_admin(session, conversation_id, it))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    }


def privilege(database: Database, conversation_id: str, user_id: str) -> GroupPrivilege | None:
    query = select(GroupPrivilege).filter_by(conversation_id=conversation_id, user_id=user_id)
    return database.run_read(lambda session: session.execute(query).scalar_one_or_none())


def test_the_creator_of_the_group_is_its_only_admin(database: Database, household: Household, group: str) -> None:
    assert admins(database, household, group) == {"maja"}
    for user_id, conversation_id in ((new_id(), group), ("nonsense", group), (household.maja.user_id, "nonsense")):
        assert not database.run_read(lambda session, it=(conversation_id, user_id): is_admin(session, *it))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def test_a_role_change_replaces_the_granted_privileges(database: Database, household: Household, group: str) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    first = privilege(database, group, emil)
    promoted = do(database, assign_admin, maja, group, emil)
    granted = privilege(database, group, emil)
    demoted = do(database, assign_member, emil, group, maja)
    lowered = privilege(database, group, maja)

    assert promoted == GroupRoleChange(group, emil, "admin", changed=True)
    assert demoted == GroupRoleChange(group, maja, "member", changed=True)
    assert first is not None
    assert granted is not None
    assert lowered is not None
    assert (granted.id, granted.role, granted.granted_by_id) == (first.id, "admin", maja)
    assert granted.granted_at > first.granted_at
    assert (lowered.role, lowered.granted_by_id) == ("member", emil)


@every_change
def test_a_change_to_the_current_state_changes_nothing(
    database: Database, household: Household, group: str, change: Change
) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    already = maja if change is assign_admin else emil
    before = privilege(database, group, maja)

    outcome = do(database, change, maja, group, already)

    assert not outcome.changed
    after = privilege(database, group, maja)
    assert before is not None
    assert after is not None
    assert (after.role, after.granted_at) == (before.role, before.granted_at)


def test_a_member_without_a_recorded_role_is_a_plain_member_and_can_be_promoted_again(
    database: Database, household: Household, group: str
) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    do(database, assign_admin, maja, group, emil)

    taken = do(database, remove, maja, group, emil)

    assert taken == GroupRoleChange(group, emil, "member", changed=True)
    assert privilege(database, group, emil) is None
    with pytest.raises(NotAdmin):
        do(database, assign_member, emil, group, maja)
    do(database, assign_admin, maja, group, emil)
    assert admins(database, household, group) == {"maja", "emil"}


@every_change
def test_only_an_admin_of_the_group_changes_roles(
    database: Database, household: Household, group: str, change: Change
) -> None:
    with pytest.raises(NotAdmin):
        do(database, change, household.emil.user_id, group, household.emil.user_id)


@every_change
def test_outsiders_do_not_find_the_group(database: Database, household: Household, group: str, change: Change) -> None:
    for asker, conversation_id in (
        (household.nils.user_id, group),
        (household.ada.user_id, group),
        (household.maja.user_id, new_id()),
        (household.maja.user_id, "nonsense"),
    ):
        with pytest.raises(NotFound):
            do(database, change, asker, conversation_id, household.emil.user_id)


@every_change
def test_only_who_takes_part_has_a_role(database: Database, household: Household, group: str, change: Change) -> None:
    for other in (household.nils.user_id, household.ada.user_id, new_id(), "nonsense"):
        with pytest.raises(NotParticipant) as refusal:
            do(database, change, household.maja.user_id, group, other)

        assert refusal.value.details == {}


@every_change
def test_only_groups_have_roles_of_their_own(database: Database, household: Household, change: Change) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    for made in (
        database.run(lambda session: create_self_conversation(session, maja)),
        database.run(lambda session: create_direct_conversation(session, maja, emil, blind_index=INDEX)),
        database.run(lambda session: create_family_conversation(session, maja)),
    ):
        with pytest.raises(NotGroupConversation):
            do(database, change, maja, made.conversation.id, emil)


@pytest.mark.parametrize("change", [assign_member, remove])
def test_the_last_admin_stays_admin(database: Database, household: Household, group: str, change: Change) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    with pytest.raises(LastAdmin):
        do(database, change, maja, group, maja)

    do(database, assign_admin, maja, group, emil)
    do(database, change, maja, group, maja)

    assert admins(database, household, group) == {"emil"}


@pytest.mark.parametrize("change", [assign_member, remove])
async def test_of_two_admins_who_demote_each_other_at_once_one_stays(
    database: Database, household: Household, group: str, change: Change
) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    for _ in range(25):
        keeper, other = (maja, emil) if admins(database, household, group) == {"maja"} else (emil, maja)
        do(database, assign_admin, keeper, group, other)
        results = await asyncio.gather(
            *(
                database.transaction(lambda session, it=(one, two): change(session, it[0], group, it[1]))  # type: ignore[misc]  # as above
                for one, two in ((maja, emil), (emil, maja))
            ),
            return_exceptions=True,
        )

        assert sorted(type(each).__name__ for each in results) == ["GroupRoleChange", "NotAdmin"]
        assert len(admins(database, household, group)) == 1


async def test_fifty_promotions_at_once_grant_once(database: Database, household: Household, group: str) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    changes = await asyncio.gather(
        *(database.transaction(lambda session: assign_admin(session, maja, group, emil)) for _ in range(50))
    )

    assert [change.changed for change in changes].count(True) == 1
    assert admins(database, household, group) == {"maja", "emil"}


def test_a_deleted_account_is_removed_as_the_granter_of_privileges(
    database: Database, household: Household, group: str
) -> None:
    emil = household.emil.user_id
    granter = new_id()

    def work(session: Session) -> None:
        known = session.get_one(User, emil)
        copied = {
            column.name: getattr(known, column.name)
            for column in User.__table__.columns
            if column.name not in {"id", "username", "username_key", "username_look", "email", "email_index"}
        }
        session.add(User(id=granter, username="gun", username_key="gun", username_look="gun", **copied))
        session.flush()
        session.execute(update(GroupPrivilege).where(GroupPrivilege.user_id == emil).values(granted_by_id=granter))
        session.execute(delete(User).where(User.id == granter))

    database.run(work)
    kept = privilege(database, group, emil)

    assert kept is not None
    assert (kept.role, kept.granted_by_id) == ("member", None)


def test_the_database_refuses_another_role_and_a_second_one(
    database: Database, household: Household, group: str
) -> None:
    with pytest.raises(IntegrityError):
        database.run(lambda session: session.execute(update(GroupPrivilege).values(role="owner")))
    with pytest.raises(IntegrityError):
        database.run(
            lambda session: session.add(
                GroupPrivilege(conversation_id=group, user_id=household.maja.user_id, role="admin")
            )
        )


def test_the_database_itself_knows_when_something_is_granted(
    database: Database, household: Household, group: str
) -> None:
    insert = text(
        "INSERT INTO group_conversation_privileges (id, conversation_id, user_id, role, inserted_at, updated_at) "
        "VALUES (:id, :group, :user, 'member', :t, :t)"
    )
    values = {"id": new_id(), "group": group, "user": household.nils.user_id, "t": now().replace(tzinfo=None)}
    if database.dialect == "sqlite":
        values["t"] = str(values["t"])
    database.run(lambda session: session.execute(insert, values))
    granted = privilege(database, group, household.nils.user_id)

    assert granted is not None
    assert abs((granted.granted_at - now()).total_seconds()) < 60
