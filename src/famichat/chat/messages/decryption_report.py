"""Reports of clients that cannot decrypt a message. The server cannot detect this for end-to-end encrypted messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.history import seq_of
from famichat.chat.records.message import BODY_PURPOSE
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.telemetry import emit, events

_CAUSES = {
    EncryptionErrorCode.DECRYPTION_FAILURE: "reported",
    EncryptionErrorCode.UNKNOWN_KEY: "unknown_key",
    EncryptionErrorCode.UNKNOWN_VERSION: "unknown_version",
    EncryptionErrorCode.STALE_EPOCH: "stale_epoch",
}


@dataclass(frozen=True, slots=True)
class DecryptionReport:
    """A client's report that a message could not be decrypted, with the cause that it states."""

    message_id: str
    cause: str

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "DecryptionReport":
        """Parse a `decrypt_failed` payload. `error_code` defaults to 603.

        Raises:
            InvalidMessage: `message_id` is missing, or `error_code` is not one of those that clients report.
        """
        message_id, code = payload.get("message_id"), payload.get("error_code", 603)
        if not isinstance(message_id, str):
            raise InvalidMessage(field="message_id")
        if not isinstance(code, int) or code not in _CAUSES:
            raise InvalidMessage(field="error_code")
        return cls(message_id, _CAUSES[EncryptionErrorCode(code)])

    def check(self, session: Session, access: Access) -> None:
        """Check that the user may see the message.

        Raises:
            NotFound: see `message_with_id`.
        """
        seq_of(session, access, self.message_id)

    def emit(self, user_id: str) -> None:
        """Emit the telemetry event, the same as for a decryption failure on the server."""
        emit(events.DecryptionFailed(purpose=BODY_PURPOSE, cause=self.cause, user_id=user_id))
