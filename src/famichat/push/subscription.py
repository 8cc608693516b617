"""Web Push subscriptions: a device's endpoint and the keys that encrypt for its browser.

All parts are encrypted at rest: anyone who knows the endpoint could notify the device, and it reveals the browser
vendor.
"""

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from sqlalchemy import ForeignKey, LargeBinary, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, Id, now
from famichat.storage.crypto.sealed_columns import sealed_as
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.upsert import insert_for

_PURPOSE = "push_subscription"
_MAX_ENDPOINT = 2048
_POINT_BYTES, _AUTH_BYTES = 65, 16


class PushSubscription(Base):
    """The subscription of one device. `endpoint_index` is a keyed hash of the endpoint, for lookups."""

    __tablename__ = "push_subscriptions"

    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), primary_key=True)
    endpoint_index: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary, info=sealed_as(_PURPOSE, lambda record: record.device_id))
    created_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A `PushSubscription` of the W3C Push API: endpoint, public key (p256dh) and authentication secret."""

    endpoint: str
    p256dh: str
    auth: str

    @classmethod
    def parse(cls, endpoint: str, p256dh: str, auth: str) -> Self:
        """Parse a subscription. Whether the endpoint's address is allowed is checked at every request.

        Raises:
            ValueError: the endpoint is not an HTTP URL, or a key is malformed.
        """
        check_endpoint(endpoint)
        point = decoded(p256dh)
        if len(point) != _POINT_BYTES or len(decoded(auth)) != _AUTH_BYTES:
            raise ValueError("these are not the keys of a push subscription")
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
        return cls(endpoint, p256dh, auth)

    @property
    def public_key(self) -> bytes:
        """The browser's public key, as an uncompressed point."""
        return decoded(self.p256dh)

    @property
    def auth_secret(self) -> bytes:
        """The authentication secret that the browser shares with the server."""
        return decoded(self.auth)


def check_endpoint(endpoint: str) -> SplitResult:
    """Parse the URL of a push service.

    Raises:
        ValueError: it is not a valid HTTP URL.
    """
    parts = urlsplit(endpoint)
    if len(endpoint) > _MAX_ENDPOINT or not endpoint.isascii() or not endpoint.isprintable():
        raise ValueError(f"the address of a push service must be ASCII and at most {_MAX_ENDPOINT} characters long")
    if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc or parts.port == 0:
        raise ValueError("this is not the address of a push service")
    return parts


def decoded(text: str) -> bytes:
    """Decode base64url, with or without padding.

    Raises:
        ValueError: the text is not base64url.
    """
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("this is not base64url") from error


def subscribe(session: Session, device_id: str, given: Subscription, vault: Vault, index: BlindIndex) -> None:
    """Store a device's subscription, replacing its previous one.

    A browser has one endpoint for all its users. A subscription that another user registered for the same endpoint is
    removed, so that the device does not show the messages of someone who signed out.
    """
    digest = index.digest(_PURPOSE, given.endpoint)
    others = (PushSubscription.endpoint_index == digest) & (PushSubscription.device_id != device_id)
    session.execute(delete(PushSubscription).where(others))
    written = {
        "endpoint_index": digest,
        "sealed": vault.seal(_PURPOSE, json.dumps(asdict(given)).encode(), device_id),
        "created_at": now(),
    }
    statement = insert_for(session, PushSubscription).values(device_id=device_id, **written)
    session.execute(statement.on_conflict_do_update(index_elements=["device_id"], set_=written))


def unsubscribe(session: Session, device_id: str, only: bytes | None = None) -> None:
    """Remove a device's subscription.

    Args:
        session: the transaction.
        device_id: the device.
        only: remove it only if its `endpoint_index` is still this one; the device may have subscribed again.
    """
    statement = delete(PushSubscription).where(PushSubscription.device_id == device_id)
    session.execute(statement if only is None else statement.where(PushSubscription.endpoint_index == only))


def is_subscribed(session: Session, device_id: str) -> bool:
    """Return whether a device has a subscription."""
    return session.get(PushSubscription, device_id) is not None


def opened(record: PushSubscription, vault: Vault) -> Subscription:
    """Decrypt a stored subscription.

    Raises:
        UnsealError: it was modified or copied from another row.
    """
    return Subscription(**json.loads(vault.open(_PURPOSE, record.sealed, record.device_id)))
