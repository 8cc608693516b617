"""The changes of a stored message: edits, deletions and reactions.

Each change is a value with a `make` method. The change and its position in the conversation (see `change_feed.py`) are
written in one transaction. A change that has no effect gets no position and is not announced.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditEvent, record
from famichat.chat.access import Access
from famichat.chat.contact import require_open
from famichat.chat.encryption_policy import EncryptionPolicies, check_sender
from famichat.chat.errors import EncryptionRequired, MessageDeleted, NotSender, TooLate
from famichat.chat.messages.content import seal_text
from famichat.chat.messages.reaction import ReactionRequest
from famichat.chat.messages.send import Draft
from famichat.chat.messages.view import body_of
from famichat.chat.mls.roster import require_current
from famichat.chat.records.attachment import forget_attachments
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.envelope_columns import envelope_fields, envelope_in
from famichat.chat.records.message import BODY_PURPOSE, Message, body_aad
from famichat.chat.records.message_edit import MessageEdit
from famichat.chat.records.reaction import Reaction
from famichat.e2ee.envelope import Envelope
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import is_future, now
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError

EDITABLE_FOR = timedelta(hours=24)
"""How long after it was sent a message can be edited."""


@dataclass(frozen=True, slots=True)
class ChangeServices:
    """The dependencies of a change: the vault that seals text, and the encryption policies."""

    vault: Vault
    policies: EncryptionPolicies


@dataclass(frozen=True, slots=True)
class Actor:
    """The member who makes a change, and the device."""

    access: Access
    device_id: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the body of a message. The former version is preserved."""

    draft: Draft

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Edit":
        """Parse an `edit_msg` payload. An edit cannot change the attachments, so its body must not be empty.

        Raises:
            ChatError: see `Draft.parse`.
        """
        return cls(Draft.parse({**payload, "attachment_ids": None}))

    def make(self, session: Session, by: Actor, message: Message, ground: ChangeServices) -> bool:
        """Edit the message on behalf of `by`.

        Args:
            session: the transaction.
            by: the acting member.
            message: the message, loaded in this transaction.
            ground: the dependencies.

        Returns:
            whether the message changed.

        Raises:
            NotSender: the actor did not send the message.
            ContactEnded: the conversation is direct, and the contact has ended.
            EpochChanged: see `chat.mls.roster.require_current`.
            MessageDeleted: the message was deleted.
            EncryptionRequired: the new body is plaintext, and the policy or the encrypted message forbids that.
            InvalidEncryptionMetadata: the policy forbids ciphertext, or `sender_device_id` is another device.
            TooLate: the message was sent more than `EDITABLE_FOR` ago.
        """
        if message.user_id != by.access.user_id:
            raise NotSender
        former = message.body
        if former is None or message.deleted_at is not None:
            raise MessageDeleted
        _check(by, self.draft.envelope, ground)
        if message.encryption_flag and not self.draft.envelope.encryption_flag:
            raise EncryptionRequired(error_code=int(EncryptionErrorCode.POLICY_REFUSAL))
        # Compare before checking the time limit: this may be the retry of an edit whose reply was lost, which must
        # succeed even if the limit has passed since.
        if self._is_applied(message, ground.vault):
            return False
        require_current(session, by.access.conversation, by.device_id, self.draft.envelope)
        require_open(session, by.access)
        if now() - message.inserted_at > EDITABLE_FOR or is_future(message.inserted_at):
            raise TooLate
        session.add(MessageEdit.of(message, former))
        self._write(by, message, ground.vault)
        return True

    def _is_applied(self, message: Message, vault: Vault) -> bool:
        try:
            return envelope_in(message) == self.draft.envelope and body_of(message, vault) == self.draft.body
        except UnsealError:
            return False

    def _write(self, by: Actor, message: Message, vault: Vault) -> None:
        envelope = self.draft.envelope
        # Increment first: the number of the version is part of the associated data of the sealed body.
        message.edits += 1
        message.body = seal_text(BODY_PURPOSE, self.draft.body, envelope, body_aad(message.id, message.edits), vault)
        message.device_id = by.device_id
        for name, value in envelope_fields(envelope).items():
            setattr(message, name, value)
        message.edited_at = now()


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes the body, former versions, reactions and attachments of a message.

    The sender or an admin of the group may delete it. The row stays, so that `seq` has no gaps. A deletion by an admin
    is recorded in the sender's audit log.
    """

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Deletion":  # noqa: ARG003 - as its siblings
        """Parse a `delete_msg` payload, which has no fields besides `message_id`."""
        return cls()

    def make(self, session: Session, by: Actor, message: Message, ground: ChangeServices) -> bool:
        """Delete the message on behalf of `by`.

        Args:
            session: the transaction.
            by: the acting member.
            message: the message, loaded in this transaction.
            ground: the dependencies.

        Returns:
            whether the message changed.

        Raises:
            NotSender: the actor neither sent the message nor is an admin of the group.
        """
        if message.user_id != by.access.user_id and not _administers_group(by.access):
            raise NotSender
        if message.deleted_at is not None:
            return False
        message.body = message.edited_at = None
        message.deleted_at = now()
        message.deleted_by_id = by.access.user_id
        conversation = by.access.conversation
        event = AuditEvent(
            "message_deleted", name=conversation.name, conversation_id=conversation.id, message_id=message.id
        )
        record(session, event, concerning=message.user_id, by=by.access.user_id)
        session.execute(delete(MessageEdit).where(MessageEdit.message_id == message.id))
        session.execute(delete(Reaction).where(Reaction.message_id == message.id))
        forget_attachments(session, [message.id])
        return True


@dataclass(frozen=True, slots=True)
class React:
    """Sets the user's reaction to a message, replacing an earlier one; or removes it, if `reaction` is None."""

    reaction: ReactionRequest | None

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "React":
        """Parse a `react` payload.

        Raises:
            ChatError: see `ReactionRequest.parse`.
        """
        return cls(ReactionRequest.parse(payload))

    def make(self, session: Session, by: Actor, message: Message, ground: ChangeServices) -> bool:
        """Set or remove the reaction on behalf of `by`.

        Args:
            session: the transaction.
            by: the acting member.
            message: the message, loaded in this transaction.
            ground: the dependencies.

        Returns:
            whether the reactions changed.

        Raises:
            MessageDeleted: the message was deleted.
            ContactEnded: a reaction is set in a direct conversation whose contact has ended.
            EpochChanged: see `chat.mls.roster.require_current`.
            EncryptionRequired: the emoji is plaintext, and the policy requires ciphertext.
            InvalidEncryptionMetadata: the policy forbids ciphertext, or `sender_device_id` is another device.
        """
        if message.deleted_at is not None:
            raise MessageDeleted
        if self.reaction is not None:
            require_open(session, by.access)
            _check(by, self.reaction.envelope, ground)
        current = session.get(Reaction, (message.id, by.access.user_id))
        if self.reaction is None:
            if current is not None:
                session.delete(current)
            return current is not None
        if current is not None and self.reaction.is_in(current, ground.vault):
            return False
        require_current(session, by.access.conversation, by.device_id, self.reaction.envelope)
        session.merge(self.reaction.to_row(message.id, by.access.user_id, ground.vault))
        return True


Change = Edit | Deletion | React


def number(session: Session, message: Message) -> None:
    """Assign the next change position of the conversation to a message that was just changed.

    The update locks the conversation until commit, so changes become visible in the order of their positions: a client
    that has all changes up to n never misses one that commits later with a smaller position.
    """
    increment = (
        update(Conversation)
        .where(Conversation.id == message.conversation_id)
        # Keep `updated_at`, by which conversation lists are sorted: a change does not move the conversation up.
        .values(last_change=Conversation.last_change + 1, updated_at=Conversation.updated_at)
        .returning(Conversation.last_change)
    )
    message.change = session.execute(increment, execution_options={"synchronize_session": False}).scalar_one()
    session.flush()


def _check(by: Actor, envelope: Envelope, ground: ChangeServices) -> None:
    check_sender(envelope, by.device_id)
    ground.policies.check_in(by.access.conversation, envelope)


def _administers_group(access: Access) -> bool:
    return access.conversation.type == "group" and access.role == "admin"
