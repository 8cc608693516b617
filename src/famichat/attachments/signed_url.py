"""Addresses of files that a page can name, each good for some minutes, for one device, and for one file.

A browser that loads a picture sends no bearer token, so the address itself says, signed, who was given it. Whether that
person may still see the file is asked again when it is fetched: an address is no more than a question already asked.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Literal

from itsdangerous import BadData, URLSafeSerializer

from famichat.chat.errors import NotFound
from famichat.storage.base import is_id

ADDRESS_SECONDS = 5 * 60
_MAX_TOKEN = 512

Part = Literal["file", "thumbnail"]


@dataclass(frozen=True, slots=True)
class UrlGrant:
    """What an address stands for."""

    user_id: str
    device_id: str
    attachment_id: str
    part: Part


class SignedUrls:
    """Makes addresses, and reads them back.

    Args:
        secret: the server's secret key.
        clock: seconds since 1970.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        signing = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        self._serializer = URLSafeSerializer(secret, salt="famichat.file", signer_kwargs=signing)

    def issue(self, ticket: UrlGrant) -> tuple[str, datetime]:
        """An address, and until when it is good."""
        expires_at = int(self._clock()) + ADDRESS_SECONDS
        return f"/files/{self._serializer.dumps([*astuple(ticket), expires_at])}", datetime.fromtimestamp(
            expires_at, UTC
        )

    def read(self, token: str) -> UrlGrant:
        """What an address stands for.

        Raises:
            NotFound: it is malformed, forged, or expired: the same as if there were no such file.
        """
        if len(token) > _MAX_TOKEN or not token.isascii():
            raise NotFound
        try:
            signed = self._serializer.loads(token)
        except BadData:
            raise NotFound from None
        match signed:
            case [str(user), str(device), str(attachment), ("file" | "thumbnail") as part, int(expires_at)]:
                if expires_at > self._clock() and all(map(is_id, (user, device, attachment))):
                    return UrlGrant(user, device, attachment, part)
        raise NotFound
