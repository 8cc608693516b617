"""Which notifications were claimed, and not yet confirmed by their push service."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import UtcDateTime

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("push_positions", sa.Column("sending_since", UtcDateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_push_positions_sending_since",
        "push_positions",
        ["sending_since"],
        unique=False,
        sqlite_where=sa.text("sending_since IS NOT NULL"),
        postgresql_where=sa.text("sending_since IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_push_positions_sending_since", table_name="push_positions")
    op.drop_column("push_positions", "sending_since")
