"""Profiles: display name, colour and avatar. A display name cannot impersonate another user."""

import asyncio

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from famichat.accounts.account_deletion import erase_account
from famichat.accounts.errors import DisplayNameTaken, NameTakenInFamily
from famichat.accounts.names.display_name import parse_display_name
from famichat.accounts.names.taken_names import TakenName
from famichat.accounts.profile import (
    Part,
    Profile,
    ProfilePicture,
    ProfileResult,
    avatar_of,
    change_profile,
    profile_of,
    profiles_of,
    remove_avatar,
    set_avatar,
)
from famichat.chat.families.family import members_of
from famichat.chat.families.membership import remove_member
from famichat.storage.database import Database
from tests.factories.people import VAULT, Household, Person, join, person


def call(session: Session, who: Person, name: str | None) -> ProfileResult:
    return change_profile(session, who.user_id, {"display_name": None if name is None else parse_display_name(name)})


def only(part: Part) -> frozenset[Part]:
    return frozenset({part})


def seen(database: Database, who: Person) -> Profile:
    return database.run_read(lambda session: profile_of(session, who.user_id))


def test_the_username_is_the_default_display_name(database: Database, household: Household) -> None:
    inga = household.inga

    assert seen(database, inga) == Profile(inga.user_id, "inga", None, None, None)
    assert seen(database, inga).shown_name == "inga"


def test_a_chosen_display_name_is_shown_until_it_is_removed(database: Database, household: Household) -> None:
    inga = household.inga
    first = database.run(lambda session: call(session, inga, "Grandma Inga 🌻"))
    second = database.run(lambda session: change_profile(session, inga.user_id, {"color": "rose"}))
    third = database.run(lambda session: call(session, inga, None))

    assert (first.profile.shown_name, first.parts) == ("Grandma Inga 🌻", only("display_name"))
    assert (second.profile.shown_name, second.profile.color, second.parts) == ("Grandma Inga 🌻", "rose", only("color"))
    assert (third.profile.shown_name, third.profile.color, third.parts) == ("inga", "rose", only("display_name"))


def test_setting_the_same_values_changes_nothing(database: Database, household: Household) -> None:
    database.run(lambda session: call(session, household.inga, "Gran"))
    again = database.run(lambda session: call(session, household.inga, "Gran"))

    assert again.parts == frozenset()


@pytest.mark.parametrize("name", ["maja", "Maja 🌻", "rnaja", "m\N{CYRILLIC SMALL LETTER A}ja", "Mum", "MUM ❤️", "Murn"])
def test_a_display_name_cannot_look_like_the_name_of_another_member(
    database: Database, household: Household, name: str
) -> None:
    database.run(lambda session: call(session, household.maja, "Mum"))

    with pytest.raises(DisplayNameTaken):
        database.run(lambda session: call(session, household.emil, name))
    assert seen(database, household.emil).shown_name == "emil"


@pytest.mark.parametrize("name", ["Mum", "maja", "MAJA 🌻"])
def test_the_names_of_other_families_are_free(database: Database, household: Household, name: str) -> None:
    database.run(lambda session: call(session, household.maja, "Mum"))

    assert database.run(lambda session: call(session, household.ada, name)).profile.shown_name == name


def test_the_display_name_of_a_user_in_two_families_is_free_in_both(database: Database, household: Household) -> None:
    database.run(lambda session: join(session, household.other_family_id, household.inga))
    database.run(lambda session: call(session, household.ada, "Mum"))
    database.run(lambda session: call(session, household.maja, "Mother"))

    for name in ("Mum", "Mother"):
        with pytest.raises(DisplayNameTaken):
            database.run(lambda session, it=name: call(session, household.inga, it))  # type: ignore[misc]  # a lambda's default
    assert database.run(lambda session: call(session, household.inga, "Gran")).profile.shown_name == "Gran"
    for who in (household.ada, household.maja):
        with pytest.raises(DisplayNameTaken):
            database.run(lambda session, it=who: call(session, it, "Gran"))  # type: ignore[misc]  # a lambda's default


@pytest.mark.parametrize("name", ["Mum 🌷", "ada"])
def test_a_user_cannot_join_a_family_in_which_the_name_is_taken(
    database: Database, household: Household, name: str
) -> None:
    database.run(lambda session: call(session, household.ada, "Mum"))
    database.run(lambda session: call(session, household.maja, name))

    with pytest.raises(NameTakenInFamily):
        database.run(lambda session: join(session, household.family_id, household.ada))
    database.run(lambda session: call(session, household.maja, None))
    database.run(lambda session: join(session, household.family_id, household.ada))
    with pytest.raises(DisplayNameTaken):
        database.run(lambda session: call(session, household.maja, name))


def test_a_member_who_leaves_releases_the_name(database: Database, household: Household) -> None:
    home, inga = household, household.inga
    database.run(lambda session: call(session, inga, "Gran"))
    database.run(lambda session: remove_member(session, inga.user_id, home.family_id, inga.user_id))

    assert database.run(lambda session: call(session, home.maja, "Gran")).profile.shown_name == "Gran"


async def test_joining_and_renaming_at_once_never_leave_two_members_with_one_name(
    database: Database, household: Household
) -> None:
    home = household
    database.run(lambda session: call(session, home.ada, "Mum"))

    await asyncio.gather(
        database.transaction(lambda session: join(session, home.family_id, home.ada)),
        *(database.transaction(lambda session, who=each: call(session, who, "Mum")) for each in home.everyone),  # type: ignore[misc]  # a lambda's default
        return_exceptions=True,
    )

    names = [member.profile.shown_name for member in database.run_read(lambda s: members_of(s, home.family_id))]
    assert names.count("Mum") == 1


def test_users_may_vary_the_spelling_of_their_own_username(database: Database, household: Household) -> None:
    changed = database.run(lambda session: call(session, household.maja, "MAJA 🌻"))

    assert changed.profile.shown_name == "MAJA 🌻"


def test_a_released_name_can_be_used_by_another_user(database: Database, household: Household) -> None:
    for name in ("Mum", "Mother"):
        database.run(lambda session, it=name: call(session, household.maja, it))  # type: ignore[misc]  # a lambda's default

    assert database.run(lambda session: call(session, household.inga, "Mum")).profile.shown_name == "Mum"
    with pytest.raises(DisplayNameTaken):
        database.run(lambda session: call(session, household.emil, "Mother"))


async def test_one_of_fifty_concurrent_requests_for_a_name_succeeds(database: Database, household: Household) -> None:
    database.run(lambda session: join(session, household.family_id, household.ada))
    everyone = [*household.everyone, household.ada] * 10
    looks = ["Gran", "GRAN", "gran 🌻", "Gr\N{CYRILLIC SMALL LETTER A}n", "gran"] * 10

    async def want(who: Person, name: str) -> str:
        changed = await database.transaction(lambda session: call(session, who, name))
        return changed.profile.user_id

    results = await asyncio.gather(*map(want, everyone, looks), return_exceptions=True)

    winners = {each for each in results if isinstance(each, str)}
    assert len(winners) == 1
    assert {type(each) for each in results if not isinstance(each, str)} == {DisplayNameTaken}
    taken = select(TakenName.user_id).where(TakenName.form == "key", TakenName.name == "gran")
    assert set(database.run_read(lambda session: session.execute(taken).scalars())) == winners


async def test_two_users_who_swap_names_concurrently_end_with_one_each(
    database: Database, household: Household
) -> None:
    maja, emil = household.maja, household.emil
    database.run(lambda session: call(session, maja, "One"))
    database.run(lambda session: call(session, emil, "Two"))

    async def want(who: Person, name: str) -> None:
        await database.transaction(lambda session: call(session, who, name))

    await asyncio.gather(want(maja, "Two"), want(emil, "One"), return_exceptions=True)

    names = [seen(database, each).shown_name for each in (maja, emil)]
    assert sorted(names) == ["One", "Two"]


def test_a_picture_is_sealed_and_the_newest_alone_is_there(database: Database, household: Household) -> None:
    inga = household.inga
    first = database.run(lambda session: set_avatar(session, inga.user_id, b"RIFF first", VAULT)).profile.picture_id
    changed = database.run(lambda session: set_avatar(session, inga.user_id, b"RIFF second", VAULT))
    second = changed.profile.picture_id
    assert first is not None
    assert second is not None

    def work(session: Session) -> list[bytes | None]:
        attempts = ((inga, first), (inga, second), (household.maja, second))
        return [avatar_of(session, who.user_id, picture_id, VAULT) for who, picture_id in attempts]

    assert changed.parts == only("picture")
    assert database.run_read(work) == [None, b"RIFF second", None]
    stored = database.run_read(lambda session: session.execute(select(ProfilePicture.sealed)).scalars().all())
    assert len(stored) == 1
    assert b"RIFF" not in stored[0]


def test_an_avatar_can_be_removed(database: Database, household: Household) -> None:
    inga = household.inga
    database.run(lambda session: set_avatar(session, inga.user_id, b"RIFF", VAULT))
    changed = database.run(lambda session: remove_avatar(session, inga.user_id))
    again = database.run(lambda session: remove_avatar(session, inga.user_id))

    assert (changed.profile.picture_id, changed.parts, again.parts) == (None, only("picture"), frozenset())


async def test_one_of_many_concurrent_avatars_is_kept(database: Database, household: Household) -> None:
    inga = household.inga

    async def show(number: int) -> str | None:
        picture = b"RIFF %d" % number
        changed = await database.transaction(lambda session: set_avatar(session, inga.user_id, picture, VAULT))
        return changed.profile.picture_id

    shown = await asyncio.gather(*map(show, range(6)))

    assert seen(database, inga).picture_id in shown


def test_deleting_the_account_deletes_the_profile_and_releases_the_name(
    database: Database, household: Household
) -> None:
    inga = household.inga
    database.run(lambda session: change_profile(session, inga.user_id, {"color": "sea"}))
    database.run(lambda session: call(session, inga, "Gran"))
    database.run(lambda session: set_avatar(session, inga.user_id, b"RIFF", VAULT))

    database.run(lambda session: erase_account(session, inga.user_id))

    assert database.run_read(lambda session: profiles_of(session, [inga.user_id])) == []
    left = database.run_read(
        lambda session: [
            *session.execute(select(ProfilePicture.id)),
            *session.execute(select(TakenName.name).where(TakenName.user_id == inga.user_id)),
            *session.execute(text("SELECT id FROM accounts_users WHERE display_name IS NOT NULL OR color IS NOT NULL")),
        ]
    )
    assert left == []
    assert database.run(lambda session: call(session, household.maja, "Gran")).profile.shown_name == "Gran"
    assert database.run(lambda session: person(session, "inga")).username == "inga"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_users SET display_name = '' WHERE username = 'inga'",
        "UPDATE accounts_users SET color = '#ff0000' WHERE username = 'inga'",
        "UPDATE family_member_names SET form = 'ear' WHERE name = 'inga'",
        "INSERT INTO family_member_names SELECT family_id, form, name, id FROM family_member_names, accounts_users",
    ],
)
def test_the_database_refuses_invalid_rows(database: Database, household: Household, statement: str) -> None:
    with pytest.raises(IntegrityError):
        database.run(lambda session: session.execute(text(statement)))
