"""The online-status privacy setting; it is on for existing users."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default is for existing rows; SQLite cannot drop it again without copying the table.
    op.add_column(
        "accounts_users", sa.Column("presence_notices", sa.Boolean(), nullable=False, server_default=sa.true())
    )


def downgrade() -> None:
    op.drop_column("accounts_users", "presence_notices")
