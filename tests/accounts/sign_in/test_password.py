import asyncio
import time
import unicodedata

import pytest
from argon2 import PasswordHasher
from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # it ships none

from famichat.accounts.errors import WeakPassword
from famichat.accounts.sign_in.password import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    check_password,
    hash_password,
    verify_password,
)

GOOD = "knäckebröd med ost"


async def test_the_right_password_is_right_and_every_other_is_wrong() -> None:
    hashed = await hash_password(GOOD)

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await verify_password(hashed, GOOD)
    for other in (GOOD.upper(), GOOD + " ", GOOD + "\0", ""):
        assert not await verify_password(hashed, other)


async def test_a_long_password_counts_whole() -> None:
    filler = "a" * (MAX_PASSWORD - len(GOOD) - 1)
    hashed = await hash_password(f"{GOOD}{filler}x")

    assert not await verify_password(hashed, f"{GOOD}{filler}y")


async def test_the_same_password_is_kept_differently_each_time() -> None:
    assert await hash_password(GOOD) != await hash_password(GOOD)


@pytest.mark.parametrize(
    ("password", "username"),
    [
        ("7 chars", ""),
        ("a" * (MAX_PASSWORD + 1), ""),
        ("password123", ""),
        ("PASSWORD123", ""),
        ("lösenord", ""),
        ("abababababab", ""),
        ("Farmor Inga", "farmor inga"),
        ("Winter2025", ""),
        ("mama1234", ""),
        ("maja2019", "Maja"),
        ("sundqvist1", "maja.sundqvist@example.org"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11\uff12\uff13", ""),
        ("famichat2025", ""),
    ],
)
def test_common_passwords_are_refused(password: str, username: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        check_password(password, username)

    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["8 chars!", "knäckebröd" * 102 + "bc", "correct horse battery staple", "мой пароль длинный"]
)
def test_length_is_the_only_other_requirement(password: str) -> None:
    check_password(password)


def test_the_most_common_passwords_are_refused() -> None:
    long_enough = [each for each in FREQUENCY_LISTS["passwords"][:5_000] if len(each) >= MIN_PASSWORD]
    assert len(long_enough) > 500

    for each in long_enough:
        with pytest.raises(WeakPassword):
            check_password(each)


@pytest.mark.parametrize(
    "composed",
    [
        "Gr\u00fc\u00dfe aus K\u00f6ln",
        "\ube44\ubc00\ubc88\ud638\uac00 \uae38\uc5b4\uc694",
        "m\u1eadt kh\u1ea9u c\u1ee7a b\u00e0",
    ],
)
async def test_a_password_matches_in_each_normalization_form(composed: str) -> None:
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed

    for set_, typed in ((composed, decomposed), (decomposed, composed)):
        hashed = await hash_password(set_)
        assert await verify_password(hashed, typed) == hashed


async def test_a_space_of_another_script_is_a_space_and_the_case_counts() -> None:
    hashed = await hash_password("Sommar i Sverige")

    assert await verify_password(hashed, "Sommar\u3000i\u00a0Sverige")
    assert not await verify_password(hashed, "sommar i sverige")


async def test_a_hash_of_the_password_as_typed_is_replaced_at_its_first_use() -> None:
    decomposed = unicodedata.normalize("NFD", "Gr\u00fc\u00dfe aus K\u00f6ln")
    former = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(decomposed)

    replaced = await verify_password(former, decomposed)

    assert replaced not in {None, former}
    assert await verify_password(replaced, unicodedata.normalize("NFC", decomposed)) == replaced


async def test_verification_takes_equally_long_for_an_unknown_account() -> None:
    hashed = await hash_password(GOOD)
    times: dict[str | None, list[float]] = {hashed: [], None: []}
    await verify_password(None, GOOD)

    for _ in range(7):
        for password_hash, taken in times.items():
            began = time.perf_counter()
            assert not await verify_password(password_hash, "wrong password")
            taken.append(time.perf_counter() - began)

    known, unknown = min(times[hashed]), min(times[None])  # whatever else the machine does only adds to it
    assert 0.5 < known / unknown < 2


async def test_an_unreadable_hash_matches_no_password() -> None:
    assert not await verify_password("-", GOOD)


async def test_eight_people_who_sign_in_at_once_do_not_hold_up_the_loop() -> None:
    hashed = await hash_password(GOOD)
    slowest = 0.0
    sign_ins = asyncio.gather(*(verify_password(hashed, GOOD) for _ in range(8)))
    began = time.perf_counter()
    while not sign_ins.done():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        slowest = max(slowest, time.perf_counter() - before)
    whole = time.perf_counter() - began

    assert all(await sign_ins)
    assert slowest < whole / 2
