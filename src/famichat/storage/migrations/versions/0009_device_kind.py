"""The kind of each device; unknown for existing devices until they report it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_CONSTRAINT, _RULE = "ck_accounts_devices_kind", "kind IS NULL OR kind IN ('phone', 'tablet', 'computer')"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # With its rule, as SQLite can: copying the table would run its foreign keys' actions when the old one goes.
        op.execute(f"ALTER TABLE accounts_devices ADD COLUMN kind VARCHAR(8) CONSTRAINT {_CONSTRAINT} CHECK ({_RULE})")
    else:
        op.add_column("accounts_devices", sa.Column("kind", sa.String(length=8), nullable=True))
        op.create_check_constraint(op.f(_CONSTRAINT), "accounts_devices", _RULE)


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(_CONSTRAINT), "accounts_devices")
    op.drop_column("accounts_devices", "kind")
