"""Account keys: the public cross-signing keys of users, by which each device of a user vouches for the others."""

from dataclasses import dataclass

from sqlalchemy import CheckConstraint, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.e2ee.errors import InvalidKeys
from famichat.e2ee.signature import KEY_BYTES, SIGNATURE_BYTES, account_statement, is_signed
from famichat.storage.base import Base, Created, Id


class AccountKey(Base):
    """One version of a user's account key. It remains when the account is deleted, so that messages can be verified.

    Attributes:
        version: 1 for the first; a key rotation or account reset adds the next.
        public_key: Ed25519; signs device certificates.
        hpke_key: X25519.
        rotation_signature: the previous version's signature over this one; NULL for the first, and after a reset.
    """

    __tablename__ = "account_keys"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(f"length(public_key) = {KEY_BYTES}", name="public_key"),
        CheckConstraint(f"length(hpke_key) = {KEY_BYTES}", name="hpke_key"),
        CheckConstraint(
            f"rotation_signature IS NULL OR (version > 1 AND length(rotation_signature) = {SIGNATURE_BYTES})",
            name="rotation_signature",
        ),
    )

    # No foreign key: see the class.
    user_id: Mapped[str] = mapped_column(Id, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(KEY_BYTES))
    hpke_key: Mapped[bytes] = mapped_column(LargeBinary(KEY_BYTES))
    rotation_signature: Mapped[bytes | None] = mapped_column(LargeBinary(SIGNATURE_BYTES))
    created_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class AccountKeyRequest:
    """A version of the account key that a client publishes; see `AccountKey`."""

    version: int
    public_key: bytes
    hpke_key: bytes
    rotation_signature: bytes | None = None


def account_keys_of(session: Session, user_id: str) -> list[AccountKey]:
    """Return all versions of a user's account key, oldest first."""
    versions = select(AccountKey).where(AccountKey.user_id == user_id).order_by(AccountKey.version)
    return list(session.execute(versions).scalars())


def add_account_key(session: Session, user_id: str, request: AccountKeyRequest) -> None:
    """Add the next version of a user's account key. The first writer of a version wins; a repeat changes nothing.

    Args:
        session: the transaction.
        user_id: the user.
        request: the keys; without `rotation_signature`, a version after the first is an account reset.

    Raises:
        InvalidKeys: `account_version` if another key has this version or the version is not the next one;
            `rotation_signature` if the signature is not that of the previous version.
    """
    existing = account_keys_of(session, user_id)
    same = next((each for each in existing if each.version == request.version), None)
    if same is not None and (same.public_key, same.hpke_key) == (request.public_key, request.hpke_key):
        return
    if same is not None or request.version != len(existing) + 1:
        raise InvalidKeys(reason="account_version")
    statement = account_statement(user_id, request.version, request.public_key, request.hpke_key)
    if request.rotation_signature is not None and not (
        existing and is_signed(existing[-1].public_key, statement, request.rotation_signature)
    ):
        raise InvalidKeys(reason="rotation_signature")
    session.add(
        AccountKey(
            user_id=user_id,
            version=request.version,
            public_key=request.public_key,
            hpke_key=request.hpke_key,
            rotation_signature=request.rotation_signature,
        )
    )
    session.flush()
