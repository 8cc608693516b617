"""Device keys: the public keys of each device, and the certificate by which its user's account key vouches for them."""

from dataclasses import dataclass

from sqlalchemy import CheckConstraint, LargeBinary, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.sign_in.token import Identity
from famichat.e2ee.account_key import AccountKeyRequest, account_keys_of, add_account_key
from famichat.e2ee.errors import InvalidKeys
from famichat.e2ee.key_package import StoredKeyPackage
from famichat.e2ee.signature import KEY_BYTES, SIGNATURE_BYTES, device_statement, is_signed
from famichat.storage.base import Base, Created, Id, now


class DeviceKeys(Base):
    """The published keys of a device. They remain when the device is signed out, so that messages can be verified.

    Attributes:
        signature_key: Ed25519; signs messages and MLS leaves.
        hpke_key: X25519; receives key shares.
        certificate: the account key's signature over these keys. NULL for a pending device; with it, the device is
            signed.
        account_version: the version of the account key that signed; NULL for a pending device.
    """

    __tablename__ = "device_keys"
    __table_args__ = (
        CheckConstraint(f"length(signature_key) = {KEY_BYTES}", name="signature_key"),
        CheckConstraint(f"length(hpke_key) = {KEY_BYTES}", name="hpke_key"),
        CheckConstraint(f"certificate IS NULL OR length(certificate) = {SIGNATURE_BYTES}", name="certificate"),
        CheckConstraint("(certificate IS NULL) = (account_version IS NULL)", name="account_version"),
    )

    # No foreign keys to devices and users: see the class.
    device_id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, index=True)
    signature_key: Mapped[bytes] = mapped_column(LargeBinary(KEY_BYTES), unique=True)
    hpke_key: Mapped[bytes] = mapped_column(LargeBinary(KEY_BYTES))
    certificate: Mapped[bytes | None] = mapped_column(LargeBinary(SIGNATURE_BYTES))
    account_version: Mapped[int | None]
    published_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class DeviceKeysRequest:
    """The keys that a device publishes; see `DeviceKeys`."""

    signature_key: bytes
    hpke_key: bytes
    certificate: bytes | None = None
    account: AccountKeyRequest | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The result of publishing keys.

    Attributes:
        account_version: the version of the account key that signed the device; None if it is pending.
        changed: whether the stored keys or the certificate changed.
    """

    account_version: int | None
    changed: bool


def device_keys_of(session: Session, user_id: str) -> list[DeviceKeys]:
    """Return the keys of all devices of a user, also of pending and signed-out ones, the oldest device first."""
    keys = select(DeviceKeys).where(DeviceKeys.user_id == user_id).order_by(DeviceKeys.device_id)
    return list(session.execute(keys).scalars())


def publish_device_keys(session: Session, actor: Identity, request: DeviceKeysRequest) -> Published:
    """Publish the keys of the actor's device. A repeat changes nothing.

    A pending device may replace nothing: keys are replaced only together with a certificate, because other devices may
    have encrypted to the old ones. Replaced keys make the device's key packages useless, so they are deleted.

    Raises:
        InvalidKeys: `certificate` if it is missing or not signed by the newest account key; `signature_key` if another
            device has it; see `add_account_key`.
    """
    if request.account is not None:
        add_account_key(session, actor.user_id, request.account)
    version = None if request.certificate is None else _signing_version(session, actor, request)
    stored = session.get(DeviceKeys, actor.device_id)
    if request.certificate is None and (
        request.account is not None or (stored is not None and not _is_same(stored, request))
    ):
        raise InvalidKeys(reason="certificate")
    if stored is not None and _is_same(stored, request) and request.certificate in {None, stored.certificate}:
        return Published(stored.account_version, changed=False)
    _require_unused(session, actor, request.signature_key)
    if stored is not None and not _is_same(stored, request):
        session.execute(delete(StoredKeyPackage).where(StoredKeyPackage.device_id == actor.device_id))
    keys = stored or DeviceKeys(device_id=actor.device_id, user_id=actor.user_id)
    keys.signature_key, keys.hpke_key, keys.published_at = request.signature_key, request.hpke_key, now()
    keys.certificate, keys.account_version = request.certificate, version
    session.add(keys)
    session.flush()
    return Published(version, changed=True)


def _is_same(stored: DeviceKeys, request: DeviceKeysRequest) -> bool:
    return (stored.signature_key, stored.hpke_key) == (request.signature_key, request.hpke_key)


def _signing_version(session: Session, actor: Identity, request: DeviceKeysRequest) -> int:
    accounts = account_keys_of(session, actor.user_id)
    if not accounts or request.certificate is None:
        raise InvalidKeys(reason="certificate")
    newest = accounts[-1]
    statement = device_statement(
        actor.user_id, actor.device_id, newest.version, request.signature_key, request.hpke_key
    )
    if not is_signed(newest.public_key, statement, request.certificate):
        raise InvalidKeys(reason="certificate")
    return newest.version


def _require_unused(session: Session, actor: Identity, signature_key: bytes) -> None:
    others = select(func.count()).where(
        DeviceKeys.signature_key == signature_key, DeviceKeys.device_id != actor.device_id
    )
    if session.execute(others).scalar_one():
        raise InvalidKeys(reason="signature_key")
