"""The registered keys of a database: a lost or wrong key is reported before any other work."""

import secrets

import pytest
from sqlalchemy import update

from famichat.chat.records.message import Message
from famichat.storage.crypto.vault import Vault, check_value
from famichat.storage.crypto.vault_keys import VaultKey, WrongVaultKeys, check_keys, known_keys, sealing_key, settle
from famichat.storage.database import Database
from tests.factories.people import VAULT, Household
from tests.factories.talk import direct_of, say

ONE, TWO, OTHER = (secrets.token_bytes(32) for _ in range(3))


def settled(database: Database, keys: dict[int, bytes], *, use_newest: bool = True) -> int:
    return database.run(lambda session: settle(session, keys, use_newest=use_newest))


def test_the_first_keys_are_written_down_and_the_newest_seals(database: Database) -> None:
    assert settled(database, {1: ONE}) == 1
    [kept] = database.run_read(known_keys)

    assert kept.check_value == check_value(ONE)
    assert ONE not in kept.check_value
    assert kept.resealed_at == kept.sealing_since is not None


def test_a_newer_key_seals_at_once_where_that_is_wanted_and_waits_elsewhere(database: Database) -> None:
    settled(database, {1: ONE})

    assert settled(database, {1: ONE, 2: TWO}, use_newest=False) == 1
    assert settled(database, {1: ONE, 2: TWO}, use_newest=True) == 2
    assert database.run_read(sealing_key).resealed_at is None, "what the old one has sealed is to be sealed anew"


@pytest.mark.parametrize(
    ("keys", "reported"),
    [
        ({1: ONE}, "vault key 2 is missing"),
        ({1: OTHER, 2: TWO}, "vault key 1 is not the key of this database"),
        ({3: OTHER}, "vault key 1 is missing; vault key 2 is missing"),
    ],
)
def test_a_lost_or_a_wrong_key_is_named_and_nothing_is_changed(
    database: Database, keys: dict[int, bytes], reported: str
) -> None:
    settled(database, {1: ONE, 2: TWO})

    with pytest.raises(WrongVaultKeys) as raised:
        settled(database, keys)
    assert str(raised.value).startswith(f"{reported}. Restore secrets.json")
    assert [key.version for key in database.run_read(known_keys)] == [1, 2]


def test_a_database_older_than_its_list_of_keys_takes_those_that_open_it_only(
    database: Database, household: Household
) -> None:
    with pytest.raises(WrongVaultKeys):
        settled(database, {1: ONE})

    assert settled(database, {1: VAULT.keys[1], 2: TWO}) == 2
    assert database.run_read(sealing_key).resealed_at is None


def test_one_damaged_row_does_not_make_the_keys_wrong(database: Database, household: Household) -> None:
    direct = database.run(lambda session: direct_of(session, household))
    database.run(lambda session: say(session, direct, household.maja, "x"))
    database.run(lambda session: session.execute(update(Message).values(body=b"damaged")))

    assert settled(database, dict(VAULT.keys)) == 1


def test_a_retired_key_that_is_given_again_seals_nothing(database: Database) -> None:
    settled(database, {2: TWO})

    assert settled(database, {1: ONE, 2: TWO}) == 2
    database.run_read(lambda session: check_keys(session, {1: ONE, 2: TWO}))
    assert database.run_read(lambda session: session.get_one(VaultKey, 1).sealing_since) is None


def test_a_check_value_is_of_no_other_use() -> None:
    sealed = Vault({1: check_value(ONE)}).seal("body", b"x", "row")

    assert check_value(ONE) == check_value(ONE) != check_value(TWO)
    assert sealed[:3] == b"\x01\x00\x01"
