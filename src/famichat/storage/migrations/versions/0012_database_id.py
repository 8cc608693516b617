"""The id of the database, by which a data directory recognises it."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, new_id

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("history", sa.Column("database_id", Id(length=36), nullable=True))
    history = sa.table("history", sa.column("database_id", Id))
    op.execute(sa.update(history).values(database_id=new_id()))
    with op.batch_alter_table("history") as table:
        table.alter_column("database_id", existing_type=Id(length=36), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("history") as table:
        table.drop_column("database_id")
