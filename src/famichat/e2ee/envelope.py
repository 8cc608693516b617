"""The envelope: validated public metadata of a message's encryption. The ciphertext stays opaque.

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
from famichat.storage.base import is_id
from famichat.telemetry.events import EncryptionStatus

ENCRYPTION_VERSION = re.compile(r"[A-Za-z0-9._-]{1,32}")
KEY_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
PROTOCOL = ENCRYPTION_VERSION
MAX_EPOCH = 2**53
"""The largest integer that every JSON parser keeps exact (RFC 8259, section 6). MLS epochs stay far below it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The encryption metadata of a message. If the flag is set, version and key id are present.

    Attributes:
        encryption_flag: whether the body is end-to-end encrypted.
        encryption_version: version of the ciphertext format.
        key_id: id of the key that decrypts it.
        protocol: protocol that produced the key, such as MLS (RFC 9420); None if not stated.
        epoch: key epoch of that protocol.
        sender_device_id: id of the device that encrypted the body.
    """

    encryption_flag: bool = False
    encryption_version: str | None = None
    key_id: str | None = None
    protocol: str | None = None
    epoch: int | None = None
    sender_device_id: str | None = None

    @property
    def status(self) -> EncryptionStatus:
        """The encryption status as telemetry reports it."""
        return "enabled" if self.encryption_flag else "disabled"

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Envelope":
        """Parse the encryption fields of a payload. `version_tag` is an alias of `encryption_version`.

        Raises:
            EnvelopeError: 601 if the flag is set and a field is missing; 602 if a field is malformed.
        """
        if _FIELDS.isdisjoint(payload):  # most messages: to read field by field takes ten times as long
            return _PLAINTEXT
        flag = payload.get("encryption_flag")
        if flag is None:
            flag = False
        if not isinstance(flag, bool):
            raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, "encryption_flag")
        version = _matching(payload, "encryption_version", ENCRYPTION_VERSION)
        tag = _matching(payload, "version_tag", ENCRYPTION_VERSION)
        if version is not None and tag is not None and version != tag:
            raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, "version_tag")
        envelope = cls(
            flag,
            version or tag,
            _matching(payload, "key_id", KEY_ID),
            _matching(payload, "protocol", PROTOCOL),
            _epoch(payload.get("epoch")),
            _device(payload.get("sender_device_id")),
        )
        envelope.check()
        return envelope

    def check(self) -> None:
        """Check that the fields agree with the flag.

        Raises:
            EnvelopeError: 601 with the field missing from an encrypted message; 602 with the field that an unencrypted
                message must not carry.
        """
        for field, value in (("encryption_version", self.encryption_version), ("key_id", self.key_id)):
            if self.encryption_flag and value is None:
                raise EnvelopeError(EncryptionErrorCode.MISSING_METADATA, field)
        for field in ("protocol", "epoch", "sender_device_id"):
            if not self.encryption_flag and getattr(self, field) is not None:
                raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, field)

    def check_sender(self, device_id: str) -> None:
        """Check that `sender_device_id`, if given, is the sending device.

        Raises:
            EnvelopeError: 602 if it is another device.
        """
        if self.sender_device_id not in {None, device_id}:
            raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, "sender_device_id")


_FIELDS = frozenset(
    ("encryption_flag", "encryption_version", "version_tag", "key_id", "protocol", "epoch", "sender_device_id")
)
_PLAINTEXT = Envelope()


def _matching(payload: Mapping[str, Any], field: str, pattern: re.Pattern[str]) -> str | None:
    value = payload.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, field)
    return value


def _epoch(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_EPOCH):
        raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, "epoch")
    return value


def _device(value: object) -> str | None:
    if value is None or (isinstance(value, str) and is_id(value)):
        return value
    raise EnvelopeError(EncryptionErrorCode.INVALID_METADATA, "sender_device_id")
