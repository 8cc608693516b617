"""The vault keys that a database has used, with a fingerprint of each."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_keys",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("check_value", sa.LargeBinary(length=32), nullable=False),
        sa.Column("known_since", UtcDateTime(timezone=True), nullable=False),
        sa.Column("sealing_since", UtcDateTime(timezone=True), nullable=True),
        sa.Column("resealed_at", UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("version BETWEEN 1 AND 65535", name=op.f("ck_vault_keys_version")),
        sa.CheckConstraint("resealed_at IS NULL OR sealing_since IS NOT NULL", name=op.f("ck_vault_keys_resealed")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_vault_keys")),
    )


def downgrade() -> None:
    op.drop_table("vault_keys")
