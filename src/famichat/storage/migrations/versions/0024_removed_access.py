"""The table of removed access, which every node reads."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removed_access",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("txid", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.Column("conversation_id", Id(length=36), nullable=True),
        sa.Column("device_id", Id(length=36), nullable=True),
        sa.Column("removed_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('conversation', 'device', 'user')", name=op.f("ck_removed_access_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removed_access")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_removed_access_txid"), "removed_access", ["txid"], unique=False)
    op.create_index(op.f("ix_removed_access_removed_at"), "removed_access", ["removed_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_removed_access_removed_at"), table_name="removed_access")
    op.drop_index(op.f("ix_removed_access_txid"), table_name="removed_access")
    op.drop_table("removed_access")
