"""The envelope: the public metadata of a message's encryption, validated. What is inside stays opaque.

>>> Envelope.parse({"encryption_flag": True, "encryption_version": "mls10.1", "key_id": "1:42"}).key_id
'1:42'
>>> Envelope.parse({}).encryption_flag
False
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from famichat.e2ee.errors import EncryptionErrorCode, EnvelopeError
from famichat.telemetry.events import EncryptionStatus

ENCRYPTION_VERSION = re.compile(r"[A-Za-z0-9._-]{1,32}")
KEY_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """How a message says it is encrypted. With the flag set, version and key id are there, and the body is opaque."""

    encryption_flag: bool = False
    encryption_version: str | None = None
    key_id: str | None = None

    @property
    def status(self) -> EncryptionStatus:
        """Whether this message is encrypted, in the one word that telemetry may use."""
        return "enabled" if self.encryption_flag else "disabled"

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Envelope":
        """Read the encryption fields of a payload; `version_tag` is taken as another name of `encryption_version`.

        Raises:
            EnvelopeError: 601 when the flag is set and a field is missing, 602 when a field is malformed.
        """
        flag = payload.get("encryption_flag")
        if flag is None:
            flag = False
        if not isinstance(flag, bool):
            raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, "encryption_flag")
        version = _matching(payload, "encryption_version", ENCRYPTION_VERSION)
        tag = _matching(payload, "version_tag", ENCRYPTION_VERSION)
        if version is not None and tag is not None and version != tag:
            raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, "version_tag")
        envelope = cls(flag, version or tag, _matching(payload, "key_id", KEY_ID))
        envelope.check()
        return envelope

    def check(self) -> None:
        """Refuse a message that says it is encrypted and does not say how.

        Raises:
            EnvelopeError: 601, naming the missing field.
        """
        for field, value in (("encryption_version", self.encryption_version), ("key_id", self.key_id)):
            if self.encryption_flag and value is None:
                raise EnvelopeError(EncryptionErrorCode.MISSING_METADATA, field)


def _matching(payload: Mapping[str, Any], field: str, pattern: re.Pattern[str]) -> str | None:
    value = payload.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, field)
    return value
