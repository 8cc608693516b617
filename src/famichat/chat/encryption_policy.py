"""The encryption policies: which conversation types require, allow or forbid ciphertext. Unknown types require it."""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.chat.errors import EncryptionRequired, InvalidEncryptionMetadata
from famichat.chat.records.conversation import CONVERSATION_TYPES, Conversation, ConversationType
from famichat.e2ee.envelope import Envelope
from famichat.e2ee.errors import EncryptionErrorCode, EnvelopeError
from famichat.telemetry.events import EncryptionStatus

Policy = Literal["required", "optional", "forbidden"]


class EncryptionPolicies:
    """The operator's policy for each conversation type.

    Args:
        by_type: the policy of each type; a type that is missing is `required`, so that a mistake fails closed.
    """

    def __init__(self, by_type: Mapping[str, Policy]) -> None:
        self._by_type = dict(by_type)

    def of(self, conversation_type: str, *, required_once: bool = False) -> Policy:
        """Return the policy of a conversation.

        Args:
            conversation_type: the type.
            required_once: `Conversation.encryption_required`; if True, the result is always `required`, so that a
                later change of the settings does not let plaintext into an encrypted conversation.
        """
        return "required" if required_once else self._by_type.get(conversation_type, "required")

    def types_with(self, policy: Policy) -> frozenset[str]:
        """Return the conversation types that have this policy."""
        return frozenset(kind for kind in CONVERSATION_TYPES if self.of(kind) == policy)

    def status(self, conversation_type: str, *, required_once: bool = False) -> EncryptionStatus:
        """Return `enabled` if all new messages of the conversation must be end-to-end encrypted."""
        return "enabled" if self.of(conversation_type, required_once=required_once) == "required" else "disabled"

    def check(self, conversation_type: ConversationType, envelope: Envelope) -> None:
        """Check a message against the policy of its conversation's type, before it is queued.

        The journal makes the checks that depend on `Conversation.encryption_required`: such a conversation always
        refuses plaintext, and accepts ciphertext even if the policy of its type is `forbidden` now.

        Raises:
            EncryptionRequired: the message is plaintext and the type requires ciphertext.
        """
        if self.of(conversation_type) == "required" and not envelope.encryption_flag:
            raise EncryptionRequired(error_code=int(EncryptionErrorCode.POLICY_REFUSAL))

    def check_in(self, conversation: Conversation, envelope: Envelope) -> None:
        """Check an edit or a reaction, which the journal does not see, against the policy of a loaded conversation.

        Raises:
            EncryptionRequired: the content is plaintext, and ciphertext is required or was required once.
            InvalidEncryptionMetadata: the content is ciphertext where it is forbidden.
        """
        policy = self.of(conversation.type, required_once=conversation.encryption_required)
        if policy == "required" and not envelope.encryption_flag:
            raise EncryptionRequired(error_code=int(EncryptionErrorCode.POLICY_REFUSAL))
        if policy == "forbidden" and envelope.encryption_flag:
            raise InvalidEncryptionMetadata(error_code=int(EncryptionErrorCode.POLICY_REFUSAL), field="encryption_flag")


def envelope_of(payload: Mapping[str, Any]) -> Envelope:
    """Parse the encryption fields of a payload.

    Raises:
        InvalidEncryptionMetadata: a field is missing or malformed.
    """
    try:
        return Envelope.parse(payload)
    except EnvelopeError as error:
        raise _as_refusal(error) from error


def check_sender(envelope: Envelope, device_id: str) -> None:
    """Check that `sender_device_id`, if given, is the sending device.

    Raises:
        InvalidEncryptionMetadata: it is another device.
    """
    try:
        envelope.check_sender(device_id)
    except EnvelopeError as error:
        raise _as_refusal(error) from error


def remember_required(session: Session, policies: EncryptionPolicies) -> None:
    """Mark the conversations whose type requires ciphertext. The mark is permanent; call at start-up."""
    required = [kind for kind in CONVERSATION_TYPES if policies.of(kind) == "required"]
    unmarked = select(Conversation).where(Conversation.type.in_(required), Conversation.encryption_required.is_(False))
    for conversation in session.execute(unmarked).scalars():
        conversation.encryption_required = True  # through the ORM, which computes the checksum


def _as_refusal(error: EnvelopeError) -> InvalidEncryptionMetadata:
    return InvalidEncryptionMetadata(field=error.field, error_code=int(error.error_code))
