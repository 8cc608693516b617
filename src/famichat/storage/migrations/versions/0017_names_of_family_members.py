"""Display names are unique in a family, no longer on the whole server."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "family_member_names",
        sa.Column("family_id", Id(length=36), nullable=False),
        sa.Column("form", sa.String(length=4), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.CheckConstraint("form IN ('key', 'look')", name=op.f("ck_family_member_names_form")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 256", name=op.f("ck_family_member_names_name_length")),
        sa.ForeignKeyConstraint(
            ["family_id", "user_id"],
            ["family_memberships.family_id", "family_memberships.user_id"],
            name="fk_family_member_names_member",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("family_id", "form", "name", name=op.f("pk_family_member_names")),
    )
    op.create_index(op.f("ix_family_member_names_user_id"), "family_member_names", ["user_id"], unique=False)
    op.execute(
        "INSERT INTO family_member_names (family_id, form, name, user_id)"
        " SELECT m.family_id, n.form, n.name, n.user_id"
        " FROM accounts_names n JOIN family_memberships m ON m.user_id = n.user_id"
    )
    op.drop_index(op.f("ix_accounts_names_user_id"), table_name="accounts_names")
    op.drop_table("accounts_names")


def downgrade() -> None:
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
    for form, column in (("key", "username_key"), ("look", "username_look")):
        op.execute(
            "INSERT INTO accounts_names (form, name, user_id)"  # noqa: S608 - constants only  # nosec B608
            f" SELECT '{form}', {column}, id FROM accounts_users WHERE {column} IS NOT NULL"
        )
    # One of several users with the same display name keeps it reserved.
    op.execute(
        "INSERT INTO accounts_names (form, name, user_id)"
        " SELECT form, name, user_id FROM family_member_names WHERE true ON CONFLICT DO NOTHING"
    )
    op.drop_index(op.f("ix_family_member_names_user_id"), table_name="family_member_names")
    op.drop_table("family_member_names")
