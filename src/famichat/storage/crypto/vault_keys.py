"""Which vault keys this database has met, which one seals what is new, and by what each is known again.

The keys themselves are never in here. At every start they are compared with what is written down, so that a lost or a
wrong one is told before anything is sealed with another, or shown as unreadable.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, now
from famichat.storage.crypto.sealed_columns import sealed_columns
from famichat.storage.crypto.vault import Vault, check_value
from famichat.storage.errors import StorageError, UnsealError

_SAMPLE = 20


class WrongVaultKeys(StorageError):
    """A key that this database needs is not here, or is another one; nothing was changed.

    Attributes:
        missing, wrong: versions.
    """

    def __init__(self, missing: list[int], wrong: list[int]) -> None:
        told = [f"vault key {version} is missing" for version in missing]
        told += [f"vault key {version} is not the key of this database" for version in wrong]
        super().__init__(
            f"{'; '.join(told)}. Restore secrets.json or FAMICHAT_VAULT_KEYS: "
            "without the right keys the stored data cannot be read"
        )
        self.missing = missing
        self.wrong = wrong


class VaultKey(Base):
    """A key, by its version. `resealed_at` is when nothing was left that an older key had sealed."""

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
    """All keys that are written down, the oldest first."""
    return list(session.execute(select(VaultKey).order_by(VaultKey.version)).scalars())


def sealing_key(session: Session) -> VaultKey:
    """The key with which everything new is to be sealed."""
    used = select(VaultKey).where(VaultKey.sealing_since.is_not(None)).order_by(VaultKey.version.desc()).limit(1)
    return session.execute(used).scalar_one()


def check_keys(session: Session, keys: Mapping[int, bytes]) -> None:
    """Compare keys with those that are written down.

    Raises:
        WrongVaultKeys: one is missing, or is another one.
    """
    known = {key.version: key.check_value for key in known_keys(session)}
    missing = [version for version in known if version not in keys]
    wrong = [version for version, value in known.items() if version in keys and check_value(keys[version]) != value]
    if missing or wrong:
        raise WrongVaultKeys(missing, wrong)
    if not known:  # the database is older than its list of keys: wrong ones open nothing of it
        opened, tried = opened_of_sample(session, Vault(keys))
        if tried and not opened:
            raise WrongVaultKeys([], sorted(keys))


def settle(session: Session, keys: Mapping[int, bytes], *, use_newest: bool) -> int:
    """Write down keys that are new here, and say which one is to seal.

    Args:
        session: the transaction.
        keys: all keys of this process.
        use_newest: whether a newer key is to seal from now on. Where other servers may not have it yet, it is not.

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
    """Whether a later key seals already: this one was retired, and is there again."""
    later = select(VaultKey.version).where(VaultKey.sealing_since.is_not(None), VaultKey.version > key.version)
    return session.execute(later.limit(1)).first() is not None


def opened_of_sample(session: Session, vault: Vault) -> tuple[int, int]:
    """Open some of what is sealed; answers how much did open, and how much was tried."""
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
