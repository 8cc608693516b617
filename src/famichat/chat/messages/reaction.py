"""Reactions: one emoji per user and message."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.chat.encryption_policy import envelope_of
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.content import open_text, seal_text, storable
from famichat.chat.messages.schema import ReactionView
from famichat.chat.records.envelope_columns import envelope_fields, envelope_in
from famichat.chat.records.reaction import (
    MAX_EMOJI_BYTES,
    MAX_SEALED_BYTES,
    REACTION_PURPOSE,
    Reaction,
    reaction_aad,
)
from famichat.e2ee.envelope import Envelope
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import now
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError
from famichat.typed_text import emoji_form, has_visible_text

# Controls, spaces and separators. Format characters (Cf) are allowed: U+200D joins emoji sequences (UTS #51).
_DISALLOWED_CATEGORIES = frozenset({"Cc", "Zs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class ReactionRequest:
    """A parsed reaction that is not stored yet."""

    emoji: str
    envelope: Envelope

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "ReactionRequest | None":
        """Parse a `react` payload. Returns None, which removes the reaction, if `emoji` is null.

        Raises:
            InvalidMessage: `emoji` is missing, invisible, too long, or contains controls or spaces.
            InvalidEncryptionMetadata: a field of the envelope is missing or malformed.
        """
        if payload.get("emoji", "") is None:
            return None
        envelope = envelope_of(payload)
        return cls(_emoji(payload.get("emoji"), encrypted=envelope.encryption_flag), envelope)

    def to_row(self, message_id: str, user_id: str, vault: Vault) -> Reaction:
        """Build the row of this reaction."""
        return Reaction(
            message_id=message_id,
            user_id=user_id,
            emoji=seal_text(REACTION_PURPOSE, self.emoji, self.envelope, reaction_aad(message_id, user_id), vault),
            reacted_at=now(),
            **envelope_fields(self.envelope),
        )

    def is_in(self, reaction: Reaction, vault: Vault) -> bool:
        """Return whether a stored reaction equals this one. False if it cannot be decrypted.

        U+FE0F makes no difference: some keyboards append it to the same emoji. Ciphertext is compared as it is.
        """
        try:
            return envelope_in(reaction) == self.envelope and emoji_form(_emoji_of(reaction, vault)) == emoji_form(
                self.emoji
            )
        except UnsealError:
            return False


def reactions_to(session: Session, message_ids: Iterable[str]) -> dict[str, list[Reaction]]:
    """Return the reactions to messages by message id, the oldest first, with one query."""
    by_message: dict[str, list[Reaction]] = {}
    query = select(Reaction).where(Reaction.message_id.in_(set(message_ids)))
    for each in session.execute(query.order_by(Reaction.reacted_at, Reaction.user_id)).scalars():
        by_message.setdefault(each.message_id, []).append(each)
    return by_message


def reaction_view(reaction: Reaction, vault: Vault) -> ReactionView:
    """Build the JSON of a reaction. If it cannot be decrypted, `emoji` is None and `error_code` is present."""
    view: ReactionView = {
        "user_id": reaction.user_id,
        "emoji": None,
        **envelope_fields(reaction),  # type: ignore[typeddict-item]  # an envelope has no error_code
    }
    try:
        view["emoji"] = _emoji_of(reaction, vault)
    except UnsealError:
        view["error_code"] = EncryptionErrorCode.DECRYPTION_FAILURE.value
    return view


def _emoji_of(reaction: Reaction, vault: Vault) -> str:
    if not reaction.is_intact:
        raise UnsealError(REACTION_PURPOSE)
    aad = reaction_aad(reaction.message_id, reaction.user_id)
    return open_text(REACTION_PURPOSE, reaction.emoji, aad, vault, encrypted=reaction.encryption_flag)


def _emoji(value: object, *, encrypted: bool) -> str:
    if not isinstance(value, str) or not value or not storable(value):
        raise InvalidMessage(field="emoji")
    if len(value.encode()) > (MAX_SEALED_BYTES if encrypted else MAX_EMOJI_BYTES):
        raise InvalidMessage(field="emoji")
    if encrypted:
        return value
    if not has_visible_text(value) or any(unicodedata.category(char) in _DISALLOWED_CATEGORIES for char in value):
        raise InvalidMessage(field="emoji")
    return value
