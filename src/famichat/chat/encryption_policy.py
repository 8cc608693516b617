"""Which conversation types demand ciphertext, allow it, or refuse it. It fails closed."""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import update
from sqlalchemy.orm import Session

from famichat.chat.errors import EncryptionRequired, InvalidEncryptionMetadata
from famichat.chat.records.conversation import CONVERSATION_TYPES, Conversation, ConversationType
from famichat.e2ee.envelope import Envelope
from famichat.e2ee.errors import EncryptionErrorCode, EnvelopeError
from famichat.telemetry.events import EncryptionStatus

Policy = Literal["required", "optional", "forbidden"]


class EncryptionPolicies:
    """The operator's choice for each conversation type.

    Args:
        by_type: a policy for each of the four types; a type without one is `required`.
    """

    def __init__(self, by_type: Mapping[str, Policy]) -> None:
        self._by_type = dict(by_type)

    def of(self, conversation_type: str, *, required_once: bool = False) -> Policy:
        """The policy of a conversation. One that was required once stays required for ever."""
        return "required" if required_once else self._by_type.get(conversation_type, "required")

    def types_with(self, policy: Policy) -> frozenset[str]:
        """Return the conversation types that have this policy."""
        return frozenset(kind for kind in CONVERSATION_TYPES if self.of(kind) == policy)

    def status(self, conversation_type: str, *, required_once: bool = False) -> EncryptionStatus:
        """Whether what is said there is certainly encrypted end to end."""
        return "enabled" if self.of(conversation_type, required_once=required_once) == "required" else "disabled"

    def check(self, conversation_type: ConversationType, envelope: Envelope) -> None:
        """Let a message go to the journal, or not.

        What depends on whether the conversation has demanded ciphertext once, the journal decides: it refuses
        plaintext there for ever, and takes ciphertext there even where the type is `forbidden` by now.

        Raises:
            EncryptionRequired: plaintext where ciphertext is demanded.
        """
        if self.of(conversation_type) == "required" and not envelope.encryption_flag:
            raise EncryptionRequired(error_code=int(EncryptionErrorCode.POLICY_REFUSAL))

    def check_in(self, conversation: Conversation, envelope: Envelope) -> None:
        """Let what somebody wants into a conversation, or not, in a transaction of its own: the journal is not asked.

        Raises:
            EncryptionRequired: plaintext where ciphertext is demanded, or was once.
            InvalidEncryptionMetadata: ciphertext where it is forbidden.
        """
        policy = self.of(conversation.type, required_once=conversation.encryption_required)
        if policy == "required" and not envelope.encryption_flag:
            raise EncryptionRequired(error_code=int(EncryptionErrorCode.POLICY_REFUSAL))
        if policy == "forbidden" and envelope.encryption_flag:
            raise InvalidEncryptionMetadata(error_code=int(EncryptionErrorCode.POLICY_REFUSAL), field="encryption_flag")


def envelope_of(payload: Mapping[str, Any]) -> Envelope:
    """Read the encryption fields of what somebody sends.

    Raises:
        InvalidEncryptionMetadata: a part is missing or malformed.
    """
    try:
        return Envelope.parse(payload)
    except EnvelopeError as error:
        raise _as_refusal(error) from error


def check_sender(envelope: Envelope, device_id: str) -> None:
    """Refuse what another device than the one that sends it is said to have sealed.

    Raises:
        InvalidEncryptionMetadata: so it is.
    """
    try:
        envelope.check_sender(device_id)
    except EnvelopeError as error:
        raise _as_refusal(error) from error


def remember_required(session: Session, policies: EncryptionPolicies) -> None:
    """Write down, for ever, which conversations demand ciphertext by now."""
    required = [kind for kind in CONVERSATION_TYPES if policies.of(kind) == "required"]
    session.execute(
        update(Conversation)
        .where(Conversation.type.in_(required), Conversation.encryption_required.is_(False))
        .values(encryption_required=True)
    )


def _as_refusal(error: EnvelopeError) -> InvalidEncryptionMetadata:
    return InvalidEncryptionMetadata(field=error.field, error_code=int(error.error_code))
