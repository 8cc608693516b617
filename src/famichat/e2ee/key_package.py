"""Key packages (RFC 9420, section 10): with one of them, others add a device to an MLS group while it is offline."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.sign_in.token import Identity
from famichat.e2ee.errors import InvalidKeys
from famichat.e2ee.mls_parser import MAX_KEY_PACKAGE_BYTES, KeyPackage, MlsFormatError, parse_key_package
from famichat.e2ee.signature import is_valid_key_package
from famichat.storage.base import CLOCK_TOLERANCE, Base, Id, now
from famichat.storage.upsert import insert_for

KEY_PACKAGE_LIFE = timedelta(days=30)
MAX_PUBLISHED = 50
"""How many key packages one request may publish."""
MAX_KEY_PACKAGES = 100
"""How many unclaimed key packages a device may have on the server."""
LOW = 10
"""A device with fewer unclaimed key packages is asked to publish more."""


class StoredKeyPackage(Base):
    """A key package that waits to be used.

    Attributes:
        ref: the KeyPackageRef.
        body: the MLSMessage.
        last_resort: whether it may be used more than once; given out when the device has no other.
        claimed_for: the conversation in which it was given out; it is given out in no other. No foreign key, because
            the table belongs to a lower layer; a claim outlives its conversation by at most its own life.
    """

    __tablename__ = "key_packages"
    __table_args__ = (
        CheckConstraint("length(ref) = 32", name="ref"),
        CheckConstraint(f"length(body) <= {MAX_KEY_PACKAGE_BYTES}", name="body_length"),
        CheckConstraint("NOT last_resort OR claimed_for IS NULL", name="last_resort"),
    )

    ref: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), index=True)
    body: Mapped[bytes] = mapped_column(LargeBinary(MAX_KEY_PACKAGE_BYTES))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    last_resort: Mapped[bool]
    claimed_for: Mapped[str | None] = mapped_column(Id)


def identity_of(user_id: str, device_id: str) -> bytes:
    """Return the identity in the MLS credential of a device."""
    return f"{user_id}:{device_id}".encode()


def is_current(package: KeyPackage) -> bool:
    """Return whether the lifetime of a key package includes now."""
    not_before, not_after = package.leaf.lifetime or (1, 0)
    at, tolerance = now().timestamp(), CLOCK_TOLERANCE.total_seconds()
    return not_before - tolerance <= at < not_after


def publish_key_packages(
    session: Session, actor: Identity, signature_key: bytes, packages: Sequence[bytes], last_resort: bytes | None
) -> int:
    """Store key packages of the actor's device, and return how many it has that are not given out.

    Args:
        session: the transaction.
        actor: the user and device.
        signature_key: the published signature key of the device.
        packages: MLSMessages; those that are stored already are ignored.
        last_resort: replaces the stored one; None keeps it.

    Raises:
        InvalidKeys: `key_package` if one is malformed, expired, or not of this device; `too_many_key_packages`.
    """
    rows = [_row(actor, signature_key, body, last_resort=False) for body in packages]
    if last_resort is not None:
        former = StoredKeyPackage.device_id == actor.device_id, StoredKeyPackage.last_resort.is_(True)
        session.execute(delete(StoredKeyPackage).where(*former))
        rows.append(_row(actor, signature_key, last_resort, last_resort=True))
    if rows:
        session.execute(insert_for(session, StoredKeyPackage).values(rows).on_conflict_do_nothing())
    count = unclaimed_key_packages(session, actor.device_id)
    if count > MAX_KEY_PACKAGES:
        raise InvalidKeys(reason="too_many_key_packages")
    return count


def unclaimed_key_packages(session: Session, device_id: str) -> int:
    """Return how many key packages of a device can still be given out, apart from the last resort."""
    unclaimed = select(func.count()).where(
        StoredKeyPackage.device_id == device_id,
        StoredKeyPackage.last_resort.is_(False),
        StoredKeyPackage.claimed_for.is_(None),
        StoredKeyPackage.expires_at > now(),
    )
    return session.execute(unclaimed).scalar_one()


def claim_key_packages(
    session: Session, conversation_id: str, device_ids: Iterable[str]
) -> dict[str, StoredKeyPackage]:
    """Give out a key package of each device for one conversation, by device id; none for a device without any.

    Every caller gets the same key package until it is used: commits that lose a race use up none.
    """
    usable = (
        select(StoredKeyPackage)
        .where(
            StoredKeyPackage.device_id.in_(set(device_ids)),
            or_(StoredKeyPackage.claimed_for.is_(None), StoredKeyPackage.claimed_for == conversation_id),
            StoredKeyPackage.expires_at > now(),
        )
        .order_by(StoredKeyPackage.last_resort, StoredKeyPackage.claimed_for.is_(None), StoredKeyPackage.ref)
        .with_for_update()
    )
    claimed: dict[str, StoredKeyPackage] = {}
    for each in session.execute(usable).scalars():
        claimed.setdefault(each.device_id, each)
    for each in claimed.values():
        if not each.last_resort:
            each.claimed_for = conversation_id
    session.flush()
    return claimed


def delete_used_key_packages(session: Session, refs: Iterable[bytes]) -> None:
    """Delete key packages that a commit has used. A last resort remains until its device replaces it."""
    used = StoredKeyPackage.ref.in_(set(refs)), StoredKeyPackage.last_resort.is_(False)
    session.execute(delete(StoredKeyPackage).where(*used))


def delete_unusable_key_packages(session: Session, conversation_id: str, device_ids: Iterable[str]) -> None:
    """Delete the key packages of devices that were given out for a conversation, the last resort included.

    A key package that no client can use would otherwise be given out again and again.
    """
    given_out = or_(StoredKeyPackage.claimed_for == conversation_id, StoredKeyPackage.last_resort.is_(True))
    session.execute(delete(StoredKeyPackage).where(StoredKeyPackage.device_id.in_(set(device_ids)), given_out))


def delete_expired_key_packages(session: Session) -> None:
    """Delete the key packages that have expired."""
    session.execute(delete(StoredKeyPackage).where(StoredKeyPackage.expires_at <= now()))


def _row(actor: Identity, signature_key: bytes, body: bytes, *, last_resort: bool) -> dict[str, object]:
    try:
        package = parse_key_package(body)
    except MlsFormatError as error:
        raise InvalidKeys(reason="key_package") from error
    leaf = package.leaf
    own = leaf.identity == identity_of(actor.user_id, actor.device_id) and leaf.signature_key == signature_key
    if not (own and is_current(package) and is_valid_key_package(package)):
        raise InvalidKeys(reason="key_package")
    _, not_after = leaf.lifetime or (0, 0)
    latest = now() + KEY_PACKAGE_LIFE
    expires_at = latest if not_after >= latest.timestamp() else datetime.fromtimestamp(not_after, UTC)
    return {
        "ref": package.ref,
        "device_id": actor.device_id,
        "body": body,
        "expires_at": expires_at,
        "last_resort": last_resort,
        "claimed_for": None,
    }
