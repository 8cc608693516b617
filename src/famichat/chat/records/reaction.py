"""The table of reactions."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from famichat.chat.records.envelope_columns import Enveloped, envelope_constraints
from famichat.storage.base import Base, Id
from famichat.storage.checksum import Checked
from famichat.storage.crypto.sealed_columns import sealed_as

MAX_EMOJI_BYTES = 64
"""Maximum size of an emoji, in bytes of UTF-8."""
MAX_SEALED_BYTES = 512
"""Maximum size of a sealed or end-to-end encrypted emoji, in bytes."""
REACTION_PURPOSE = "reaction"


class Reaction(Checked, Enveloped, Base):
    """The reaction of one user to one message.

    `emoji` is sealed by the vault; or, if `encryption_flag` is set, the user's ciphertext unchanged.
    """

    __tablename__ = "message_reactions"
    __table_args__ = (
        CheckConstraint(f"length(emoji) BETWEEN 1 AND {MAX_SEALED_BYTES}", name="emoji_length"),
        *envelope_constraints(),
    )

    message_id: Mapped[str] = mapped_column(Id, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    emoji: Mapped[bytes] = mapped_column(
        LargeBinary,
        info=sealed_as(
            REACTION_PURPOSE,
            lambda reaction: reaction_aad(reaction.message_id, reaction.user_id),
            unless="encryption_flag",
        ),
    )
    reacted_at: Mapped[datetime]


def reaction_aad(message_id: str, user_id: str) -> str:
    """Return the associated data (AAD, RFC 5116) that binds a sealed emoji to its message and user."""
    return f"{message_id}/{user_id}"
