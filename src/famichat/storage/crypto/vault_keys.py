"""The vault keys that this database has used: fingerprints, which one encrypts, and when re-encryption finished.

The keys themselves are never stored here. At every start the configured keys are compared with these fingerprints, so
a lost or wrong key is reported before anything is encrypted with another one or shown as unreadable.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy import CheckConstraint, LargeBinary, inspect, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, now
from famichat.storage.crypto.sealed_columns import sealed_columns
from famichat.storage.crypto.vault import Vault, check_value
from famichat.storage.errors import StorageError, UnsealError
from famichat.storage.revision import newest, revision

_SAMPLE = 20


class WrongVaultKeys(StorageError):
    """A key that this database needs is missing or differs. Nothing was changed.

    Attributes:
        missing: versions that are not configured.
        wrong: versions whose key is not the one that this database was encrypted with.
    """

    def __init__(self, missing: list[int], wrong: list[int]) -> None:
        problems = [f"vault key {version} is missing" for version in missing]
        problems += [f"vault key {version} is not the key of this database" for version in wrong]
        super().__init__(
            f"{'; '.join(problems)}. Restore secrets.json or FAMICHAT_VAULT_KEYS: "
            "without the right keys the stored data cannot be read"
        )
        self.missing = missing
        self.wrong = wrong


class VaultKey(Base):
    """One key version. `resealed_at` is when re-encryption from older keys finished."""

    __tablename__ = "vault_keys"
    __table_args__ = (
        CheckConstraint("version BETWEEN 1 AND 65535", name="version"),
        CheckConstraint("resealed_at IS NULL OR sealing_since IS NOT NULL", name="resealed"),
    )

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    check_value: Mapped[bytes] = mapped_column(LargeBinary(32))
    known_since: Mapped[Created]
    sealing_since: Mapped[datetime | None]
    resealed_at: Mapped[datetime | None]


def known_keys(session: Session) -> list[VaultKey]:
    """Return all recorded keys, oldest first."""
    return list(session.execute(select(VaultKey).order_by(VaultKey.version)).scalars())


def sealing_key(session: Session) -> VaultKey:
    """Return the key that encrypts new values."""
    used = select(VaultKey).where(VaultKey.sealing_since.is_not(None)).order_by(VaultKey.version.desc()).limit(1)
    return session.execute(used).scalar_one()


def values_of_key(session: Session, version: int) -> int:
    """Return how many stored values a key encrypts. Reads every sealed value."""
    return sum(column.count_by_version(session).get(version, 0) for column in sealed_columns())


Retirement = Literal["retired", "unknown", "in_use"]
"""The outcome of `retire`. A key is in use while it encrypts new values, or a rotation has not finished."""


def retire(session: Session, version: int) -> Retirement:
    """Delete the record of a key that encrypts no value (`values_of_key`), unless it is in use."""
    key, sealing = session.get(VaultKey, version), sealing_key(session)
    if key is None:
        return "unknown"
    if version == sealing.version or sealing.resealed_at is None:
        return "in_use"
    session.delete(key)
    return "retired"


def check_keys(session: Session, keys: Mapping[int, bytes]) -> None:
    """Compare keys with the recorded fingerprints.

    A database that is older than its list of keys is checked by decrypting some of its values, if its schema is the
    newest. It is, except before a migration, after which they are checked again.

    Raises:
        WrongVaultKeys: a key is missing or differs.
    """
    has_list = inspect(session.connection()).has_table(VaultKey.__tablename__)
    known = {key.version: key.check_value for key in known_keys(session)} if has_list else {}
    missing = [version for version in known if version not in keys]
    wrong = [version for version, value in known.items() if version in keys and check_value(keys[version]) != value]
    if missing or wrong:
        raise WrongVaultKeys(missing, wrong)
    if not known and revision(session.connection()) == newest():  # wrong keys decrypt none of its values
        opened, tried = opened_of_sample(session, Vault(keys))
        if tried and not opened:
            raise WrongVaultKeys([], sorted(keys))


def settle(session: Session, keys: Mapping[int, bytes], *, use_newest: bool) -> int:
    """Record new keys, and return the version that encrypts.

    Args:
        session: the transaction.
        keys: all keys of this process, by version.
        use_newest: whether to switch to a newer key now. Pass False where other servers may not have it yet.

    Raises:
        WrongVaultKeys: see `check_keys`.
    """
    check_keys(session, keys)
    known = {key.version for key in known_keys(session)}
    for version in sorted(set(keys) - known):
        session.add(VaultKey(version=version, check_value=check_value(keys[version])))
    session.flush()
    newest = session.get_one(VaultKey, max(keys))
    if newest.sealing_since is None and (use_newest or not known) and not _is_older(session, newest):
        newest.sealing_since = now()
        newest.resealed_at = newest.sealing_since if not known and len(keys) == 1 else None
        session.flush()
    return sealing_key(session).version


def _is_older(session: Session, key: VaultKey) -> bool:
    """Return whether a later key is in use, so that this one was retired and has come back."""
    later = select(VaultKey.version).where(VaultKey.sealing_since.is_not(None), VaultKey.version > key.version)
    return session.execute(later.limit(1)).first() is not None


def opened_of_sample(session: Session, vault: Vault) -> tuple[int, int]:
    """Decrypt a sample of the sealed values. Returns how many succeeded, and how many were tried."""
    opened = [
        _opens(vault, column.purpose, getattr(row, column.name), column.bound_to(row))
        for column in sealed_columns()
        for row in session.execute(column.rows().limit(_SAMPLE)).scalars()
    ]
    return sum(opened), len(opened)


def _opens(vault: Vault, purpose: str, sealed: bytes, bound_to: str) -> bool:
    try:
        vault.open(purpose, sealed, bound_to)
    except UnsealError:
        return False
    return True
