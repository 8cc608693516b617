import asyncio
from functools import partial

import pytest

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials, InvalidPasskey, NoSuchPasskey
from famichat.accounts.sign_in.credential import Assertion, Registration
from famichat.accounts.sign_in.passkey import (
    MAX_PASSKEYS,
    add_passkey,
    delete_passkeys,
    finish_passkey_sign_in,
    known_passkey,
    passkeys_of,
    remove_passkey,
)
from famichat.accounts.sign_in.token import Identity
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Person, person

KEY = Registration(b"credential", b"public key", 0)


def identity(who: Person) -> Identity:
    return Identity(who.user_id, who.device_id, who.username)


@pytest.fixture
async def maja(database: Database) -> Identity:
    return identity(await database.transaction(lambda session: person(session, "maja")))


async def keep(database: Database, owner: Identity, made: Registration = KEY) -> str:
    return await database.transaction(lambda session: add_passkey(session, owner, made).id)


async def enter(database: Database, challenge: bytes, sign_count: int = 1) -> Identity:
    proof = Assertion(KEY.credential_id, challenge, sign_count)
    return (
        await database.transaction(lambda session: finish_passkey_sign_in(session, proof, NewDevice("Phone")))
    ).identity


async def test_a_verified_assertion_signs_in_on_a_new_device(database: Database, maja: Identity) -> None:
    await keep(database, maja)
    entered = await enter(database, b"1")
    [passkey] = await database.read(lambda session: passkeys_of(session, maja.user_id))

    assert (entered.user_id, entered.username) == (maja.user_id, "maja")
    assert entered.device_id != maja.device_id
    assert (passkey.sign_count, passkey.last_used_at is not None) == (1, True)


async def test_one_of_fifty_concurrent_uses_of_an_assertion_succeeds(database: Database, maja: Identity) -> None:
    await keep(database, maja, Registration(b"credential", b"public key", 0))
    arrived = await asyncio.gather(*(enter(database, b"same", 0) for _ in range(50)), return_exceptions=True)

    assert sorted(type(each).__name__ for each in arrived) == ["Identity"] + ["InvalidCredentials"] * 49


async def test_an_assertion_without_a_higher_counter_is_refused_as_a_copy(database: Database, maja: Identity) -> None:
    await keep(database, maja)
    await enter(database, b"1", 5)
    for copied in (4, 5):
        with pytest.raises(InvalidCredentials):
            await enter(database, b"2", copied)
    await enter(database, b"2", 6)


async def test_a_passkey_can_be_registered_once(database: Database, maja: Identity) -> None:
    emil = identity(await database.transaction(lambda session: person(session, "emil")))
    await keep(database, maja)
    with pytest.raises(InvalidPasskey):
        await keep(database, emil)


async def test_a_repeated_registration_returns_the_same_passkey(database: Database, maja: Identity) -> None:
    await keep(database, maja)
    await keep(database, maja)

    assert len(await database.read(lambda session: passkeys_of(session, maja.user_id))) == 1


async def test_the_number_of_passkeys_per_user_is_limited(database: Database, maja: Identity) -> None:
    for number in range(MAX_PASSKEYS):
        await keep(database, maja, Registration(b"%d" % number, b"public key", 0))
    with pytest.raises(InvalidPasskey):
        await keep(database, maja)


async def test_a_deleted_passkey_cannot_sign_in(database: Database, maja: Identity) -> None:
    given_up = await keep(database, maja)
    await database.transaction(lambda session: remove_passkey(session, maja.user_id, given_up))

    with pytest.raises(InvalidCredentials):
        await enter(database, b"1")
    with pytest.raises(InvalidCredentials):
        await database.read(lambda session: known_passkey(session, KEY.credential_id))


async def test_a_user_cannot_delete_the_passkey_of_another_user(database: Database, maja: Identity) -> None:
    passkey = await keep(database, maja)
    for user_id, passkey_id in ((new_id(), passkey), (maja.user_id, new_id()), (maja.user_id, "no id")):
        with pytest.raises(NoSuchPasskey):
            await database.transaction(partial(remove_passkey, user_id=user_id, passkey_id=passkey_id))
    assert (await enter(database, b"1")).user_id == maja.user_id


async def test_all_passkeys_of_a_user_are_deleted_together(database: Database, maja: Identity) -> None:
    await keep(database, maja)
    await database.transaction(lambda session: delete_passkeys(session, maja.user_id))
    assert await database.read(lambda session: passkeys_of(session, maja.user_id)) == []
