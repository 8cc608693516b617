import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from famichat.accounts.invite import open_invites
from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.chat.errors import LastAdmin, NotAdmin, NotFound
from famichat.chat.families.family import members_of
from famichat.chat.families.join import invite
from famichat.chat.families.membership import Removal, add_member, change_role, remove_member
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import FamilyRole
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.participant import Participant
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import INDEX, Household, Person

SHORT = timedelta(hours=1)


def remove(database: Database, household: Household, actor: Person, who: Person) -> Removal:
    return database.run(lambda session: remove_member(session, actor.user_id, household.family_id, who.user_id))


def promote(database: Database, household: Household, who: Person, role: FamilyRole = "admin") -> None:
    maja = household.maja.user_id
    database.run(lambda session: change_role(session, maja, household.family_id, who.user_id, role))


def roster(database: Database, household: Household) -> dict[str, str]:
    members = database.run_read(lambda session: members_of(session, household.family_id))
    return {each.username: each.role for each in members}


def participants(database: Database, conversation_id: str) -> dict[str, int]:
    """The members, with the first message that each may see."""
    query = select(Participant.user_id, Participant.visible_from_seq).where(
        Participant.conversation_id == conversation_id
    )
    return {user_id: seq for user_id, seq in database.run_read(lambda session: session.execute(query).all())}  # noqa: C416 - rows are no pairs to mypy


@pytest.fixture
def family_talk(database: Database, household: Household) -> str:
    """The Sundqvists' family conversation with seven messages."""
    maja = household.maja.user_id
    made = database.run(lambda session: create_family_conversation(session, maja, household.family_id))
    with_messages = update(Conversation).where(Conversation.id == made.conversation.id).values(last_seq=7)
    database.run(lambda session: session.execute(with_messages))
    return made.conversation.id


def test_a_new_member_sees_the_family_conversation_from_the_next_message_on(
    database: Database, household: Household, family_talk: str
) -> None:
    joined = database.run(lambda s: add_member(s, household.family_id, household.ada.user_id, "member"))

    assert joined
    assert participants(database, family_talk)[household.ada.user_id] == 8
    assert participants(database, family_talk)[household.maja.user_id] == 1


def test_joining_again_changes_nothing(database: Database, household: Household, family_talk: str) -> None:
    joined = database.run(lambda s: add_member(s, household.family_id, household.maja.user_id, "member"))

    assert not joined
    assert roster(database, household)["maja"] == "admin"
    assert participants(database, family_talk)[household.maja.user_id] == 1


def test_a_removed_member_leaves_the_family_its_conversation_and_its_groups(
    database: Database, household: Household, family_talk: str
) -> None:
    maja, emil, inga = household.maja.user_id, household.emil.user_id, household.inga.user_id
    group = database.run(lambda s: create_group_conversation(s, maja, "Holiday", [emil, inga])).conversation.id
    direct = database.run(lambda s: create_direct_conversation(s, maja, emil, blind_index=INDEX)).conversation.id
    notes = database.run(lambda s: create_self_conversation(s, emil)).conversation.id

    removal = remove(database, household, household.maja, household.emil)

    assert removal == Removal(emil, (("family", family_talk), ("group", group)), direct=(direct,))
    assert "emil" not in roster(database, household)
    for conversation_id in (family_talk, group):
        assert emil not in participants(database, conversation_id)
    for conversation_id in (direct, notes):
        assert emil in participants(database, conversation_id)
    privileges = select(GroupPrivilege.user_id).where(GroupPrivilege.conversation_id == group)
    left = database.run_read(lambda session: session.execute(privileges).scalars().all())
    assert sorted(left) == sorted([maja, inga])


def test_data_of_another_family_remains(database: Database, household: Household) -> None:
    emil = household.emil.user_id
    database.run(lambda s: add_member(s, household.other_family_id, emil, "member"))
    theirs = database.run(lambda s: create_family_conversation(s, emil, household.other_family_id)).conversation.id

    removal = remove(database, household, household.maja, household.emil)

    assert removal.left == ()
    assert emil in participants(database, theirs)


def test_every_member_may_leave(database: Database, household: Household) -> None:
    remove(database, household, household.nils, household.nils)

    assert "nils" not in roster(database, household)


def test_a_member_cannot_remove_others_or_change_roles(database: Database, household: Household) -> None:
    emil, family_id = household.emil.user_id, household.family_id
    with pytest.raises(NotAdmin):
        remove(database, household, household.emil, household.nils)
    for user_id in (household.nils.user_id, emil):
        with pytest.raises(NotAdmin):
            database.run(lambda session, it=user_id: change_role(session, emil, family_id, it, "admin"))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def test_a_stranger_finds_nothing_to_change(database: Database, household: Household) -> None:
    with pytest.raises(NotFound):
        remove(database, household, household.ada, household.nils)
    with pytest.raises(NotFound):
        remove(database, household, household.maja, household.ada)
    for user_id in (new_id(), "nonsense"):
        with pytest.raises(NotFound):
            database.run(
                lambda session, it=user_id: remove_member(session, household.maja.user_id, household.family_id, it)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            )


def test_the_last_admin_cannot_leave_or_step_down(database: Database, household: Household) -> None:
    with pytest.raises(LastAdmin):
        remove(database, household, household.maja, household.maja)
    with pytest.raises(LastAdmin):
        promote(database, household, household.maja, "member")

    promote(database, household, household.emil)
    remove(database, household, household.maja, household.maja)

    assert roster(database, household) == {"emil": "admin", "inga": "member", "nils": "member"}


async def test_one_of_two_admins_who_leave_concurrently_stays(database: Database, household: Household) -> None:
    promote(database, household, household.emil)
    family_id = household.family_id

    for _ in range(10):
        results = await asyncio.gather(
            *(
                database.transaction(lambda session, it=each.user_id: remove_member(session, it, family_id, it))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                for each in (household.maja, household.emil)
            ),
            return_exceptions=True,
        )

        assert sorted(type(each).__name__ for each in results) == ["LastAdmin", "Removal"]
        [removed] = [each.user_id for each in results if isinstance(each, Removal)]
        await database.transaction(lambda session, it=removed: add_member(session, family_id, it, "admin"))  # type: ignore[misc]  # as above


async def test_of_two_admins_who_demote_each_other_at_once_one_succeeds(
    database: Database, household: Household
) -> None:
    promote(database, household, household.emil)
    maja, emil, family_id = household.maja.user_id, household.emil.user_id, household.family_id

    await asyncio.gather(
        *(
            database.transaction(
                lambda session, one=actor, other=who: change_role(session, one, family_id, other, "member")  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
            )
            for actor, who in ((maja, emil), (emil, maja))
        ),
        return_exceptions=True,
    )

    assert list(roster(database, household).values()).count("admin") == 1


async def test_a_family_conversation_created_during_a_join_includes_the_new_member(
    database: Database, household: Household
) -> None:
    maja, ada, family_id = household.maja.user_id, household.ada.user_id, household.family_id

    made, _ = await asyncio.gather(
        database.transaction(lambda session: create_family_conversation(session, maja, family_id)),
        database.transaction(lambda session: add_member(session, family_id, ada, "member")),
    )

    assert ada in participants(database, made.conversation.id)


@pytest.mark.parametrize("fall", ["removed", "demoted"])
def test_invitations_end_with_the_power_of_who_made_them(database: Database, household: Household, fall: str) -> None:
    promote(database, household, household.emil)
    for admin in (household.emil, household.maja):
        database.run(lambda s, it=admin.user_id: invite(s, it, household.family_id, "member", SHORT))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    if fall == "removed":
        remove(database, household, household.maja, household.emil)
    else:
        promote(database, household, household.emil, "member")

    still_open = database.run_read(lambda session: open_invites(session, household.family_id))
    assert [each.created_by_id for each in still_open] == [household.maja.user_id]
