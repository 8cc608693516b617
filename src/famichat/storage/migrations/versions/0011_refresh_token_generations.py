"""The generation of each refresh token, so that a retried refresh can be told from a stolen token."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLE = "accounts_refresh_tokens"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("generation", sa.Integer(), nullable=False, server_default="0"))
    # Until now each refresh issued one token, and ids sort by time (UUIDv7).
    op.execute(
        f"UPDATE {_TABLE} SET generation = ranked.rank - 1 FROM"  # noqa: S608 - constants only  # nosec B608
        f" (SELECT id, row_number() OVER (PARTITION BY device_id ORDER BY id) AS rank FROM {_TABLE}) AS ranked"
        f" WHERE ranked.id = {_TABLE}.id"
    )
    op.create_index(op.f("ix_accounts_refresh_tokens_device_id_generation"), _TABLE, ["device_id", "generation"])
    op.drop_index(op.f("ix_accounts_refresh_tokens_device_id"), table_name=_TABLE)


def downgrade() -> None:
    op.create_index(op.f("ix_accounts_refresh_tokens_device_id"), _TABLE, ["device_id"])
    op.drop_index(op.f("ix_accounts_refresh_tokens_device_id_generation"), table_name=_TABLE)
    op.drop_column(_TABLE, "generation")
