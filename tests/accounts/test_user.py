"""The accounts changeset (story 7.9.3), and how the database stores accounts."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from famichat.accounts.errors import AccountsError, EmailTaken, InvalidEmail, InvalidUsername, UsernameTaken
from famichat.accounts.names.username import parse_username
from famichat.accounts.user import SUGGESTIONS, Newcomer, User, email_of, find_user, free_usernames, register
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.errors import UnsealError
from tests.factories.people import INDEX, PASSWORD_HASH, VAULT, Household

Register = Callable[..., str]


@pytest.fixture
def sign_up(database: Database) -> Register:
    def sign_up(username: str, email: str | None = None) -> str:
        newcomer = Newcomer.parse(username, email)
        return database.run(lambda session: register(session, newcomer, PASSWORD_HASH, VAULT, INDEX).id)

    return sign_up


@pytest.mark.parametrize(("username", "email", "fault"), [("", None, InvalidUsername), ("maja", "", InvalidEmail)])
def test_required_fields_cannot_be_empty(username: str, email: str | None, fault: type[AccountsError]) -> None:
    with pytest.raises(fault):
        Newcomer.parse(username, email)


def test_an_account_without_a_password_hash_is_refused_by_the_database(database: Database) -> None:
    newcomer = Newcomer.parse("maja", None)

    with pytest.raises(IntegrityError, match="password_hash_length"):
        database.run(lambda session: register(session, newcomer, "", VAULT, INDEX))


@pytest.mark.parametrize("email", ["maja", "maja@", "@example.org", "maja@example", "maja example.org"])
def test_the_address_must_be_one(email: str) -> None:
    with pytest.raises(InvalidEmail):
        Newcomer.parse("maja", email)


@pytest.mark.parametrize("twin", ["maja", "MAJA", "rnaja", "m\N{CYRILLIC SMALL LETTER A}ja"])
def test_a_username_in_use_is_refused(sign_up: Register, twin: str) -> None:
    sign_up("maja", "maja@example.org")

    with pytest.raises(UsernameTaken):
        sign_up(twin, "another@example.org")


@pytest.mark.parametrize("twin", ["maja@example.org", "Maja@EXAMPLE.org"])
def test_an_address_in_use_is_refused(sign_up: Register, twin: str) -> None:
    sign_up("maja", "maja@example.org")

    with pytest.raises(EmailTaken):
        sign_up("email_index", twin)


def test_a_name_that_is_called_like_a_column_is_taken_as_a_name(sign_up: Register) -> None:
    sign_up("email_index", "one@example.org")

    with pytest.raises(UsernameTaken):
        sign_up("email_index", "other@example.org")


@pytest.mark.parametrize("wanted", ["maja", "MAJA", "a" * 32, "o'neil"])
def test_suggested_usernames_are_free_and_do_not_reveal_others(
    database: Database, household: Household, wanted: str
) -> None:
    name = parse_username(wanted)
    first, second = (
        database.run_read(lambda session: free_usernames(session, name, household.family_id)) for _ in range(2)
    )

    assert len(set(first)) == SUGGESTIONS
    assert first != second, "the digits are random, so a missing suggestion reveals nothing"
    for each in first:
        newcomer = Newcomer.parse(each, None)
        database.run(lambda session, it=newcomer: register(session, it, PASSWORD_HASH, VAULT, INDEX))  # type: ignore[misc]  # a lambda's default


def test_many_people_may_have_no_address(sign_up: Register) -> None:
    assert sign_up("inga") != sign_up("nils")


async def test_one_of_fifty_concurrent_requests_for_a_username_succeeds(database: Database) -> None:
    newcomer = Newcomer.parse("maja", None)

    def work() -> object:
        return database.transaction(lambda session: register(session, newcomer, PASSWORD_HASH, VAULT, INDEX).id)

    results = await asyncio.gather(*(work() for _ in range(50)), return_exceptions=True)  # type: ignore[call-overload]  # mypy loses the coroutine

    assert sorted(type(each).__name__ for each in results) == ["UsernameTaken"] * 49 + ["str"]
    assert database.run_read(lambda session: session.execute(select(func.count(User.id))).scalar_one()) == 1


@pytest.mark.parametrize("name", ["maja", "MAJA", " maja ", "maja@example.org", "MAJA@example.ORG"])
def test_a_person_is_found_by_name_and_by_address_however_they_are_written(
    database: Database, household: Household, name: str
) -> None:
    found = database.run_read(lambda session: find_user(session, name, INDEX))

    assert found is not None
    assert found.id == household.maja.user_id


@pytest.mark.parametrize(
    "name", ["", "nobody", "nobody@example.org", "@", "maja\0", "\ud800", "a" * 10_000, "%", "maj_"]
)
def test_an_unknown_name_finds_no_account(database: Database, household: Household, name: str) -> None:
    assert database.run_read(lambda session: find_user(session, name, INDEX)) is None


def test_an_address_is_sealed_at_rest_and_opens_for_its_owner_only(database: Database, household: Household) -> None:
    rows = database.run_read(
        lambda session: session.execute(text("SELECT email, email_index FROM accounts_users")).all()
    )
    maja = database.run_read(lambda session: session.get_one(User, household.maja.user_id))
    moved = User(id=new_id(), email=maja.email)

    assert not any(b"example" in bytes(sealed) + bytes(index) for sealed, index in rows)
    assert email_of(maja, VAULT) == "maja@example.org"
    with pytest.raises(UnsealError):
        email_of(moved, VAULT)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_file_of_the_database_holds_no_address(database: Database, household: Household) -> None:
    for suffix in ("", "-wal"):
        stored = Path(f"{database.url.database}{suffix}").read_bytes()

        assert b"example.org" not in stored


@pytest.mark.parametrize(
    "change",
    [
        "username = ''",
        "username_key = ''",
        "username_look = ''",
        "email_index = NULL",
        "username_key = (SELECT username_key FROM accounts_users WHERE username = 'emil')",
        "email_index = (SELECT email_index FROM accounts_users WHERE username = 'emil')",
    ],
)
def test_the_database_refuses_invalid_rows(database: Database, household: Household, change: str) -> None:
    statement = text(f"UPDATE accounts_users SET {change} WHERE username = 'maja'")  # noqa: S608 - from the list above

    with pytest.raises(IntegrityError):
        database.run(lambda session: session.execute(statement))
