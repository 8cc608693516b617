"""The running nodes."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", Id(length=36), nullable=False),
        sa.Column("release", sa.String(length=32), nullable=False),
        sa.Column("draining", sa.Boolean(), nullable=False),
        sa.Column("hearing", sa.Boolean(), nullable=False),
        sa.Column("misrouted_polls", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # After a crash of the database all nodes report again within seconds; so no refresh needs a disk sync.
        op.execute("ALTER TABLE nodes SET UNLOGGED")


def downgrade() -> None:
    op.drop_table("nodes")
