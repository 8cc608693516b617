"""The 6xx codes: everything that can be wrong with an encrypted message, as numbers for telemetry and clients.

The numbers never change their meaning; `docs/errors.md` lists them, and a test compares the two.
"""

from enum import IntEnum


class EncryptionErrorCode(IntEnum):
    """What was wrong."""

    MISSING_METADATA = 601
    INVALID_METADATA = 602
    DECRYPTION_FAILURE = 603
    POLICY_REFUSAL = 604
    UNKNOWN_KEY = 605
    UNKNOWN_VERSION = 606
    STALE_EPOCH = 607


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
