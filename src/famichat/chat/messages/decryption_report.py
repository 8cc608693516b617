"""What a client says that it cannot open: the server, which cannot look inside, learns of it in no other way."""

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
    """That a message did not open on somebody's device, and why, as far as the client says so."""

    message_id: str
    cause: str

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "DecryptionReport":
        """Read a `decrypt_failed` payload.

        Raises:
            InvalidMessage: there is no `message_id`, or `error_code` is none that a client can know of.
        """
        message_id, code = payload.get("message_id"), payload.get("error_code", 603)
        if not isinstance(message_id, str):
            raise InvalidMessage(field="message_id")
        if not isinstance(code, int) or code not in _CAUSES:
            raise InvalidMessage(field="error_code")
        return cls(message_id, _CAUSES[EncryptionErrorCode(code)])

    def check(self, session: Session, access: Access) -> None:
        """See whether this person can see the message at all.

        Raises:
            NotFound: it is not in this conversation, or came before this person, or does not exist.
        """
        seq_of(session, access, self.message_id)

    def emit(self, user_id: str) -> None:
        """Tell telemetry, as when something does not open here."""
        emit(events.DecryptionFailed(purpose=BODY_PURPOSE, cause=self.cause, user_id=user_id))
