"""Conversations that a member has pinned or marked as unread."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import UtcDateTime

revision = "0035"
down_revision = "0033"
branch_labels = None
depends_on = None

_COLUMNS = ("pinned_at", "marked_unread_at")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("conversation_participants", sa.Column(name, UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("conversation_participants", name)
