"""The position of each message among its sender's messages of the conversation, also of the existing ones."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("sender_seq", sa.BigInteger(), server_default="0", nullable=False))
    op.execute(
        "UPDATE messages SET sender_seq = numbered.n FROM (SELECT id, row_number() OVER "
        "(PARTITION BY user_id, conversation_id ORDER BY seq) AS n FROM messages) AS numbered "
        "WHERE numbered.id = messages.id"
    )


def downgrade() -> None:
    op.drop_column("messages", "sender_seq")
