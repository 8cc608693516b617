"""Which messages were acknowledged in the foreground, and which ones a device was notified of."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message_receipts", sa.Column("attended_seq", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE message_receipts SET attended_seq = delivered_seq")
    op.create_table(
        "push_positions",
        sa.Column("device_id", Id(length=36), nullable=False),
        sa.Column("conversation_id", Id(length=36), nullable=False),
        sa.Column("notified_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["accounts_devices.id"],
            name=op.f("fk_push_positions_device_id_accounts_devices"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_push_positions_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("device_id", "conversation_id", name=op.f("pk_push_positions")),
    )
    op.create_index(op.f("ix_push_positions_conversation_id"), "push_positions", ["conversation_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_push_positions_conversation_id"), table_name="push_positions")
    op.drop_table("push_positions")
    op.drop_column("message_receipts", "attended_seq")
