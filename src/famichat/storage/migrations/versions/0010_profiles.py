"""Profiles: display name, colour and picture; and every name in use, for uniqueness."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLORS = "'clay', 'honey', 'moss', 'pine', 'sea', 'iris', 'plum', 'rose'"
# SQLite can add a rule to a table only together with a column.
_NAME = (
    "display_name VARCHAR(48)"
    " CONSTRAINT ck_accounts_users_display_name_length CHECK (length(display_name) BETWEEN 1 AND 48)"
)
_COLOR = (
    "color VARCHAR(16)"
    f" CONSTRAINT ck_accounts_users_color CHECK (color IN ({_COLORS}))"
    " CONSTRAINT ck_accounts_users_deleted_profile"
    " CHECK (deleted_at IS NULL OR (display_name IS NULL AND color IS NULL))"
)


def upgrade() -> None:
    for column in (_NAME, _COLOR):
        op.execute(f"ALTER TABLE accounts_users ADD COLUMN {column}")
    op.create_table(
        "accounts_names",
        sa.Column("form", sa.String(length=4), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.CheckConstraint("form IN ('key', 'look')", name=op.f("ck_accounts_names_form")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 256", name=op.f("ck_accounts_names_name_length")),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_accounts_names_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("form", "name", name=op.f("pk_accounts_names")),
    )
    op.create_index(op.f("ix_accounts_names_user_id"), "accounts_names", ["user_id"], unique=False)
    op.create_table(
        "accounts_pictures",
        sa.Column("id", Id(length=36), nullable=False),
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_accounts_pictures_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_pictures")),
        sa.UniqueConstraint("user_id", name=op.f("uq_accounts_pictures_user_id")),
    )
    for form, column in (("key", "username_key"), ("look", "username_look")):
        op.execute(
            "INSERT INTO accounts_names (form, name, user_id)"  # noqa: S608 - constants only  # nosec B608
            f" SELECT '{form}', {column}, id FROM accounts_users WHERE {column} IS NOT NULL"
        )


def downgrade() -> None:
    op.drop_table("accounts_pictures")
    op.drop_index(op.f("ix_accounts_names_user_id"), table_name="accounts_names")
    op.drop_table("accounts_names")
    op.drop_column("accounts_users", "color")
    op.drop_column("accounts_users", "display_name")
