"""What may become of a message that was sent: it is edited, deleted, or reacted to.

Each change is a value that knows how to be made. It is made in one transaction together with its number in the
conversation (see `change_feed.py`), and one that would change nothing is not made, has no number and is told to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditEvent, record
from famichat.chat.access import Access
from famichat.chat.encryption_policy import EncryptionPolicies, check_sender
from famichat.chat.errors import EncryptionRequired, MessageDeleted, NotSender, TooLate
from famichat.chat.messages.content import seal_text
from famichat.chat.messages.reaction import Sign
from famichat.chat.messages.send import Draft
from famichat.chat.messages.view import body_of
from famichat.chat.records.attachment import forget_attachments
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.envelope_columns import envelope_fields, envelope_in
from famichat.chat.records.message import BODY_PURPOSE, Message, body_aad
from famichat.chat.records.message_edit import MessageEdit
from famichat.chat.records.reaction import Reaction
from famichat.e2ee.envelope import Envelope
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import now
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError

EDITABLE_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ChangeServices:
    """What a change stands on: what seals, and which conversations must be encrypted."""

    vault: Vault
    policies: EncryptionPolicies


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, and on which device."""

    access: Access
    device_id: str


@dataclass(frozen=True, slots=True)
class Edit:
    """The sender says it in other words. What the message said before is kept."""

    draft: Draft

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Edit":
        """Read an `edit_msg` payload.

        Raises:
            ChatError: see `Draft.parse`.
        """
        return cls(Draft.parse(payload))

    def make(self, session: Session, by: Actor, message: Message, ground: ChangeServices) -> bool:
        """Do it, on behalf of `by`; says whether that changed anything.

        Raises:
            NotSender: it is somebody else's.
            MessageDeleted: there is nothing to edit.
            EncryptionRequired, InvalidEncryptionMetadata: the policy refuses it; or the message was encrypted, and
                this is not; or another device is said to have sealed it.
            TooLate: it was sent more than a day ago.
        """
        if message.user_id != by.access.user_id:
            raise NotSender
        former = message.body
        if former is None or message.deleted_at is not None:
            raise MessageDeleted
        _check(by, self.draft.envelope, ground)
        if message.encryption_flag and not self.draft.envelope.encryption_flag:
            raise EncryptionRequired(error_code=int(EncryptionErrorCode.POLICY_REFUSAL))
        if self._is_in(message, ground.vault):
            return False  # also after the day: it may be the repeat of an edit whose answer was lost
        if now() - message.inserted_at > EDITABLE_FOR:
            raise TooLate
        session.add(MessageEdit.of(message, former))
        self._write(by, message, ground.vault)
        return True

    def _is_in(self, message: Message, vault: Vault) -> bool:
        try:
            return envelope_in(message) == self.draft.envelope and body_of(message, vault) == self.draft.body
        except UnsealError:
            return False

    def _write(self, by: Actor, message: Message, vault: Vault) -> None:
        envelope = self.draft.envelope
        message.edits += 1
        message.body = seal_text(BODY_PURPOSE, self.draft.body, envelope, body_aad(message.id, message.edits), vault)
        message.device_id = by.device_id
        for name, value in envelope_fields(envelope).items():
            setattr(message, name, value)
        message.edited_at = now()


@dataclass(frozen=True, slots=True)
class Deletion:
    """The sender, or an admin of the group, takes it away: body, earlier versions, reactions and attachments.

    Its place stays. What an admin takes away is noted in the sender's ledger.
    """

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Deletion":  # noqa: ARG003 - as its siblings
        """Read a `delete_msg` payload, which says no more than which message."""
        return cls()

    def make(self, session: Session, by: Actor, message: Message, ground: ChangeServices) -> bool:
        """Do it, on behalf of `by`; says whether that changed anything.

        Raises:
            NotSender: it is somebody else's, and the person is no admin of this group.
        """
        if message.user_id != by.access.user_id and not _administers_group(by.access):
            raise NotSender
        if message.deleted_at is not None:
            return False
        message.body = message.edited_at = None
        message.deleted_at = now()
        message.deleted_by_id = by.access.user_id
        talk = by.access.conversation
        deed = AuditEvent("message_deleted", name=talk.name, conversation_id=talk.id, message_id=message.id)
        record(session, deed, concerning=message.user_id, by=by.access.user_id)
        session.execute(delete(MessageEdit).where(MessageEdit.message_id == message.id))
        session.execute(delete(Reaction).where(Reaction.message_id == message.id))
        forget_attachments(session, [message.id])
        return True


@dataclass(frozen=True, slots=True)
class React:
    """Somebody answers with a sign, which takes the place of that person's former one; or, with None, takes it back."""

    sign: Sign | None

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "React":
        """Read a `react` payload.

        Raises:
            ChatError: see `Sign.parse`.
        """
        return cls(Sign.parse(payload))

    def make(self, session: Session, by: Actor, message: Message, ground: ChangeServices) -> bool:
        """Do it, on behalf of `by`; says whether that changed anything.

        Raises:
            MessageDeleted: there is nothing to react to.
            EncryptionRequired, InvalidEncryptionMetadata: the policy refuses it.
        """
        if message.deleted_at is not None:
            raise MessageDeleted
        if self.sign is not None:
            _check(by, self.sign.envelope, ground)
        present = session.get(Reaction, (message.id, by.access.user_id))
        if self.sign is None:
            if present is not None:
                session.delete(present)
            return present is not None
        if present is not None and self.sign.is_in(present, ground.vault):
            return False
        session.merge(self.sign.reaction(message.id, by.access.user_id, ground.vault))
        return True


Change = Edit | Deletion | React


def number(session: Session, message: Message) -> None:
    """Give the change that a message has just gone through its place among all changes of the conversation."""
    counted = (
        update(Conversation)
        .where(Conversation.id == message.conversation_id)
        # An edit is nothing new: the conversation keeps its place in everybody's list.
        .values(last_change=Conversation.last_change + 1, updated_at=Conversation.updated_at)
        .returning(Conversation.last_change)
    )
    message.change = session.execute(counted, execution_options={"synchronize_session": False}).scalar_one()
    session.flush()


def _check(by: Actor, envelope: Envelope, ground: ChangeServices) -> None:
    check_sender(envelope, by.device_id)
    ground.policies.check_in(by.access.conversation, envelope)


def _administers_group(access: Access) -> bool:
    return access.conversation.type == "group" and access.role == "admin"
