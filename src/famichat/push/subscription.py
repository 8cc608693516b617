"""A subscription: where one device's browser can be rung, and the keys by which only that browser reads what comes.

All three parts are sealed: whoever knew the address could ring the device, and it names the maker of the browser.
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
    """The subscription of one device. `endpoint_index` is a keyed hash of the address, so that it is known again."""

    __tablename__ = "push_subscriptions"

    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), primary_key=True)
    endpoint_index: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary, info=sealed_as(_PURPOSE, lambda record: record.device_id))
    created_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser hands out (W3C Push API): an address, its public key, and a secret shared with us."""

    endpoint: str
    p256dh: str
    auth: str

    @classmethod
    def parse(cls, endpoint: str, p256dh: str, auth: str) -> Self:
        """Understand what a browser gave. Whether the address may be asked is looked at each time it is.

        Raises:
            ValueError: it is no address of a push service, or these are no keys.
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
        """The secret that the browser shares with us."""
        return decoded(self.auth)


def check_endpoint(endpoint: str) -> SplitResult:
    """Take the address of a push service apart.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(endpoint)
    if len(endpoint) > _MAX_ENDPOINT or not endpoint.isascii() or not endpoint.isprintable():
        raise ValueError("the address of a push service is shorter, and plain ASCII")
    if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc or parts.port == 0:
        raise ValueError("this is not the address of a push service")
    return parts


def decoded(text: str) -> bytes:
    """Bytes from base64url, with its padding or without.

    Raises:
        ValueError: it is none.
    """
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("this is not base64url") from error


def subscribe(session: Session, device_id: str, given: Subscription, vault: Vault, index: BlindIndex) -> None:
    """Let a device be rung from now on. It replaces what the device gave before.

    A browser has one address, whoever is signed in there: what somebody else registered for it is forgotten, so that
    nobody's messages ring on a device that is another's by now.
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
    """Ring a device no more.

    Args:
        session: the transaction.
        device_id: whose.
        only: forget it only if it is still this one, by its `endpoint_index`: the device may have given another.
    """
    theirs = delete(PushSubscription).where(PushSubscription.device_id == device_id)
    session.execute(theirs if only is None else theirs.where(PushSubscription.endpoint_index == only))


def is_subscribed(session: Session, device_id: str) -> bool:
    """Whether a device can be rung."""
    return session.get(PushSubscription, device_id) is not None


def opened(record: PushSubscription, vault: Vault) -> Subscription:
    """A stored subscription, opened.

    Raises:
        UnsealError: it was damaged, or moved here from another row.
    """
    return Subscription(**json.loads(vault.open(_PURPOSE, record.sealed, record.device_id)))
