"""Signed URLs of files, each valid for a few minutes, one device and one file.

A browser that loads an image sends no bearer token, so the signed URL carries the user's identity. Access is checked
again when the file is fetched; the signature alone grants nothing.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Literal

from itsdangerous import BadData, URLSafeSerializer

from famichat.chat.errors import NotFound
from famichat.storage.base import CLOCK_TOLERANCE, is_id

ADDRESS_SECONDS = 5 * 60
_MAX_TOKEN = 512

Part = Literal["file", "thumbnail"]


@dataclass(frozen=True, slots=True)
class UrlGrant:
    """The contents of a signed URL."""

    user_id: str
    device_id: str
    attachment_id: str
    part: Part


class SignedUrls:
    """Issues and verifies signed URLs.

    Args:
        secret: the server's secret key.
        clock: returns Unix time in seconds.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        signing = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        self._serializer = URLSafeSerializer(secret, salt="famichat.file", signer_kwargs=signing)

    def issue(self, ticket: UrlGrant) -> tuple[str, datetime]:
        """Return a signed URL path and its expiry time."""
        expires_at = int(self._clock()) + ADDRESS_SECONDS
        return f"/files/{self._serializer.dumps([*astuple(ticket), expires_at])}", datetime.fromtimestamp(
            expires_at, UTC
        )

    def read(self, token: str) -> UrlGrant:
        """Verify the token of a signed URL and return its contents.

        Raises:
            NotFound: it is malformed, forged, expired, or was issued while the clock was ahead; indistinguishable
                from a missing file.
        """
        if len(token) > _MAX_TOKEN or not token.isascii():
            raise NotFound
        try:
            signed = self._serializer.loads(token)
        except BadData:
            raise NotFound from None
        match signed:
            case [str(user), str(device), str(attachment), ("file" | "thumbnail") as part, int(expires_at)]:
                left = expires_at - self._clock()
                is_current = 0 < left <= ADDRESS_SECONDS + CLOCK_TOLERANCE.total_seconds()
                if is_current and all(map(is_id, (user, device, attachment))):
                    return UrlGrant(user, device, attachment, part)
        raise NotFound
