"""Password rules and Argon2id hashes.

The cost is the OWASP minimum (19 MiB, two passes): about 50 ms on a small computer. Hashing runs in two threads of its
own, so concurrent sign-ins wait for each other and nothing else waits for them. Hash before a transaction begins: it
would block the database.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from famichat.accounts.errors import WeakPassword

MIN_PASSWORD, MAX_PASSWORD = 8, 1024
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_workers = ThreadPoolExecutor(2, "password")


async def hash_password(password: str, username: str = "") -> str:
    """Check a new password and return its hash.

    Args:
        password: as typed.
        username: the user's name, which is not allowed as a password.

    Raises:
        WeakPassword: it is too short, too long, too common, or the username.
    """
    check_password(password, username)
    return await asyncio.get_running_loop().run_in_executor(_workers, _HASHER.hash, password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Return whether a password matches. Takes as long without a hash, which stands for an unknown account."""
    return await asyncio.get_running_loop().run_in_executor(_workers, _verify, password_hash, password)


def check_password(password: str, username: str = "") -> None:
    """Reject a password that is easy to guess. Following NIST SP 800-63B, there are no composition rules.

    Args:
        password: as typed.
        username: the user's name, which is not allowed as a password.

    Raises:
        WeakPassword: the message gives the reason.
    """
    folded = password.casefold()
    if len(password) < MIN_PASSWORD:
        raise WeakPassword(f"a password must have at least {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD:
        raise WeakPassword(f"a password must have at most {MAX_PASSWORD} characters")
    if folded in _common_passwords() or len(set(folded)) <= 2 or folded == username.casefold():  # noqa: PLR2004 - as abababab
        raise WeakPassword("this password is too common")


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        _HASHER.verify(password_hash or _dummy_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("a dummy password")


@cache
def _common_passwords() -> frozenset[str]:
    listed = resources.files("famichat.accounts.sign_in").joinpath("common_passwords.txt")
    return frozenset(listed.read_text(encoding="utf-8").splitlines())
