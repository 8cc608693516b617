"""Registry of the 6xx codes, which identify encryption errors in telemetry and to clients.

The meaning of a number never changes. `docs/errors.md` lists them with the sentences below; a test compares the two.
"""

from enum import IntEnum


class EncryptionErrorCode(IntEnum):
    """Kind of encryption error."""

    MISSING_METADATA = 601
    INVALID_METADATA = 602
    DECRYPTION_FAILURE = 603
    POLICY_REFUSAL = 604
    UNKNOWN_KEY = 605
    UNKNOWN_VERSION = 606
    STALE_EPOCH = 607


MEANINGS: dict[EncryptionErrorCode, str] = {
    EncryptionErrorCode.MISSING_METADATA: "It says it is encrypted, and not how: the version or the key id is missing.",
    EncryptionErrorCode.INVALID_METADATA: "A field of the encryption is malformed, contradicts another, or is untrue.",
    EncryptionErrorCode.DECRYPTION_FAILURE: "It did not open: malformed, cut, tampered with, moved, or of another key.",
    EncryptionErrorCode.POLICY_REFUSAL: "The conversation's policy demands encryption, or forbids it.",
    EncryptionErrorCode.UNKNOWN_KEY: "The key is not known to whoever tried to open it.",
    EncryptionErrorCode.UNKNOWN_VERSION: "The version is not known to whoever tried to open it.",
    EncryptionErrorCode.STALE_EPOCH: "The keys of this epoch are gone from the device that tried to open it.",
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
