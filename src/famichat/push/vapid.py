"""VAPID (RFC 8292): the application-server key pair and a signed JWT per push service.

The key is derived from the server's secret key, which is generated at the first start. So it needs no storage of its
own, all servers of a deployment share it, and a backup contains it.
"""

import base64
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_GOOD_FOR_SECONDS = 12 * 60 * 60  # RFC 8292 allows 24 hours
# The order of P-256 (FIPS 186-4, D.1.2.3). A seed 64 bits longer makes the bias of the reduction negligible.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SEED_BYTES = 40


class Vapid:
    """The server's VAPID identity.

    Args:
        secret: the server's secret key.
        contact: an https: or mailto: URL of the operator, or None.
        clock: returns Unix time in seconds.
    """

    def __init__(self, secret: str, contact: str | None, clock: Callable[[], float] = time.time) -> None:
        seed = HKDF(SHA256(), _SEED_BYTES, salt=None, info=b"famichat/vapid").derive(secret.encode())
        self._key = derive_private_key(int.from_bytes(seed) % (_ORDER - 1) + 1, SECP256R1())
        self._contact = contact
        self._clock = clock
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = encoded(point)
        """The `applicationServerKey` for browsers: the uncompressed public point in base64url."""

    def authorization(self, endpoint: str) -> str:
        """Return the `Authorization` header for a request to this endpoint, valid for its origin only."""
        parts = urlsplit(endpoint)
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(self._clock()) + _GOOD_FOR_SECONDS}
        if self._contact is not None:
            claims["sub"] = self._contact
        signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        return f"vapid t={signed}.{encoded(r.to_bytes(32) + s.to_bytes(32))}, k={self.public_key}"


def encoded(content: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _json(value: dict[str, object] | dict[str, str]) -> str:
    return encoded(json.dumps(value, separators=(",", ":")).encode())
