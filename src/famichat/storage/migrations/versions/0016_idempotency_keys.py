"""Idempotency keys: what a repeated request created the first time."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts_idempotency_keys",
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("resource_id", Id(length=36), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_accounts_idempotency_keys_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "key_hash", name=op.f("pk_accounts_idempotency_keys")),
    )


def downgrade() -> None:
    op.drop_table("accounts_idempotency_keys")
