"""Passwords: which are good enough, and how they are kept, as Argon2id hashes.

The cost is OWASP's least (19 MiB, two passes): some 50 ms on a small computer. Hashing runs in two threads of its own,
so eight people who sign in at once wait for each other, and nobody else waits for them. Hash before the transaction:
the database has no time for it.
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
    """What to keep of a new password.

    Raises:
        WeakPassword: it is too short, too long, everybody's first guess, or the person's own name.
    """
    check_password(password, username)
    return await asyncio.get_running_loop().run_in_executor(_workers, _HASHER.hash, password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one. Without a hash, because nobody has the account, it takes as long to say no."""
    return await asyncio.get_running_loop().run_in_executor(_workers, _verify, password_hash, password)


def check_password(password: str, username: str = "") -> None:
    """Refuse a password that is too easy to guess. There are no rules about kinds of characters: length is what helps.

    Raises:
        WeakPassword: with the reason, in words.
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
        _HASHER.verify(password_hash or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("the password of nobody")


@cache
def _common_passwords() -> frozenset[str]:
    listed = resources.files("famichat.accounts.sign_in").joinpath("common_passwords.txt")
    return frozenset(listed.read_text(encoding="utf-8").splitlines())
