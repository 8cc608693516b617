import asyncio
import time

import pytest

from famichat.accounts.errors import WeakPassword
from famichat.accounts.sign_in.password import MAX_PASSWORD, check_password, hash_password, verify_password

GOOD = "knäckebröd med ost"


async def test_the_right_password_is_right_and_every_other_is_wrong() -> None:
    hashed = await hash_password(GOOD)

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await verify_password(hashed, GOOD)
    for other in (GOOD.upper(), GOOD + " ", GOOD + "\0", ""):
        assert not await verify_password(hashed, other)


async def test_a_long_password_counts_whole() -> None:
    hashed = await hash_password("ost" + "a" * (MAX_PASSWORD - 4) + "x")

    assert not await verify_password(hashed, "ost" + "a" * (MAX_PASSWORD - 4) + "y")


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
    ],
)
def test_common_passwords_are_refused(password: str, username: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        check_password(password, username)

    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["8 chars!", "a" * 1022 + "bc", "correct horse battery staple", "мой пароль длинный"]
)
def test_length_is_the_only_other_requirement(password: str) -> None:
    check_password(password)


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
