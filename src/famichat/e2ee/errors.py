"""Registry of the 6xx codes, which identify encryption errors in telemetry and to clients.

The meaning of a number never changes. `docs/errors.md` lists them with the sentences below; a test compares the two.
"""

from enum import IntEnum

from famichat.errors import FamichatError


class EncryptionErrorCode(IntEnum):
    """Kind of encryption error."""

    MISSING_METADATA = 601
    INVALID_METADATA = 602
    DECRYPTION_FAILURE = 603
    POLICY_REFUSAL = 604
    UNKNOWN_KEY = 605
    UNKNOWN_VERSION = 606
    STALE_EPOCH = 607
    UNTRUSTED_SENDER = 608


MEANINGS: dict[EncryptionErrorCode, str] = {
    EncryptionErrorCode.MISSING_METADATA: "The message is marked as encrypted, but its version or key id is missing.",
    EncryptionErrorCode.INVALID_METADATA: "An encryption field is malformed, contradicts another, or is false.",
    EncryptionErrorCode.DECRYPTION_FAILURE: "Decryption failed: malformed, truncated, modified, or the wrong key.",
    EncryptionErrorCode.POLICY_REFUSAL: "The conversation's policy requires or forbids encryption.",
    EncryptionErrorCode.UNKNOWN_KEY: "The client does not have this key.",
    EncryptionErrorCode.UNKNOWN_VERSION: "The client does not know this version.",
    EncryptionErrorCode.STALE_EPOCH: "The device no longer has the keys of this epoch.",
    EncryptionErrorCode.UNTRUSTED_SENDER: "The sender's device or account key is not the expected one.",
}
"""One sentence per code, as listed in `docs/errors.md`."""


class EnvelopeError(Exception):
    """The public metadata of a message's encryption cannot be accepted.

    Attributes:
        error_code: the 6xx number.
        field: the field that is wrong, never its value.
    """

    def __init__(self, error_code: EncryptionErrorCode, field: str) -> None:
        super().__init__(f"{error_code.name.lower()} ({field})")
        self.error_code = error_code
        self.field = field


class InvalidKeys(FamichatError):
    """Published keys cannot be accepted; `details["reason"]` says which.

    The reasons: `account_version`, `rotation_signature`, `certificate`, `signature_key`, `key_package`, `device_keys`,
    `too_many_key_packages`, `too_many_key_shares`.
    """

    code = "invalid_keys"
