"""Password rules and Argon2id hashes.

The cost is the OWASP minimum (19 MiB, two passes): about 50 ms on a small computer. Hashing runs in two threads of its
own, so concurrent sign-ins wait for each other and nothing else waits for them. Hash before a transaction begins: it
would block the database.
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from famichat import typed_text
from famichat.accounts.errors import WeakPassword
from famichat.typed_text import password_form

MIN_PASSWORD, MAX_PASSWORD = 8, 1024
_MIN_GUESSES = 10**7
"""Above all 30,000 common passwords of the estimator and their variations, such as `Winter2025`; below eight random
characters. The login throttle allows 10^7 attempts on one account in 11 years."""
_MAX_ESTIMATED = 32
"""The estimator's time grows quickly with the length: 32 characters take at most half a second, usually 1 ms."""
_LISTED = ("famichat", "homesweethome", "lösenord", "contraseña")
"""Common passwords that the estimator, whose lists are English, does not contain."""
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_workers = ThreadPoolExecutor(2, "password")


async def hash_password(password: str, *names: str) -> str:
    """Check a new password and return its hash.

    Args:
        password: as typed.
        names: the user's names and e-mail address, which an attacker tries first.

    Raises:
        WeakPassword: it is too short, too long, or easy to guess.
    """
    return await asyncio.get_running_loop().run_in_executor(_workers, _checked_hash, password, names)


async def verify_password(password_hash: str | None, password: str) -> str | None:
    """Verify a password, in its normalized form and as typed.

    Takes as long without a hash, which stands for an unknown account.

    Returns:
        the hash to store from now on, which differs if the present one was made from a form that is not normalized;
        None if the password is wrong.
    """
    return await asyncio.get_running_loop().run_in_executor(_workers, _verify, password_hash, password)


def check_password(password: str, *names: str) -> None:
    """Reject a password that is easy to guess. Following NIST SP 800-63B, there are no composition rules.

    Args:
        password: as typed.
        names: the user's names and e-mail address, which an attacker tries first.

    Raises:
        WeakPassword: the message gives the reason.
    """
    password = password_form(password)
    if len(password) < MIN_PASSWORD:
        raise WeakPassword(f"a password must have at least {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD:
        raise WeakPassword(f"a password must have at most {MAX_PASSWORD} characters")
    if _guesses(password, names) < _MIN_GUESSES:
        raise WeakPassword("this password is too easy to guess; use several words that do not belong together")


def _guesses(password: str, names: tuple[str, ...]) -> float:
    """Return how many attempts an attacker needs who tries common passwords, names, words and patterns first."""
    # Its word lists are large, and only a new password needs them.
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # noqa: PLC0415 - see above; it ships no types

    folded = [typed_text.fold(name) for name in names]
    known_words = [word for name in folded for word in (name, *re.split(r"[\W_]+", name)) if word]
    # The estimator looks these up in lower case. Folded, a password also equals its full-width form.
    return float(zxcvbn(typed_text.fold(password)[:_MAX_ESTIMATED], [*_LISTED, *known_words])["guesses"])


def _checked_hash(password: str, names: tuple[str, ...]) -> str:
    check_password(password, *names)
    return _HASHER.hash(password_form(password))


def _verify(password_hash: str | None, password: str) -> str | None:
    normalized = password_form(password)
    if _matches(password_hash or _dummy_hash(), normalized):
        return password_hash
    # Hashes of former versions were made from the password as typed.
    if normalized != password and _matches(password_hash or _dummy_hash(), password):
        return None if password_hash is None else _HASHER.hash(normalized)
    return None


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("a dummy password")
