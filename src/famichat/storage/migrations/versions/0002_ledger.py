"""The audit log of changes that one user makes to another user's account. Entries are append-only."""

import sqlalchemy as sa
from alembic import op

import famichat.storage.base

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ACTIONS = (
    "'group_role_changed', 'group_member_removed', 'family_role_changed', 'family_member_removed', "
    "'message_deleted', 'device_revoked', 'password_reset', 'account_deleted'"
)


def upgrade() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("by_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("by_name", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=True),
        sa.Column("family_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("conversation_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("message_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("device_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("inserted_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"action IN ({_ACTIONS})", name=op.f("ck_ledger_entries_action")),
        sa.CheckConstraint("role IN ('admin', 'member')", name=op.f("ck_ledger_entries_role")),
        sa.CheckConstraint(
            "(action IN ('group_role_changed', 'family_role_changed')) = (role IS NOT NULL)",
            name=op.f("ck_ledger_entries_role_of_action"),
        ),
        sa.CheckConstraint("(by_id IS NULL) = (by_name IS NULL)", name=op.f("ck_ledger_entries_by_pair")),
        sa.CheckConstraint("by_id <> user_id", name=op.f("ck_ledger_entries_somebody_else")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["accounts_users.id"], name=op.f("fk_ledger_entries_user_id_accounts_users")
        ),
        sa.ForeignKeyConstraint(["by_id"], ["accounts_users.id"], name=op.f("fk_ledger_entries_by_id_accounts_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
    )
    op.create_index("ix_ledger_entries_user_id_id", "ledger_entries", ["user_id", "id"])
    _refuse_changes()


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # INSERT OR REPLACE takes a row away without any trigger of a DELETE (https://www.sqlite.org/lang_conflict.html).
        there = "WHEN EXISTS (SELECT 1 FROM ledger_entries WHERE id = NEW.id)"
        for name, moment in (("update", "UPDATE"), ("delete", "DELETE"), ("replace", "INSERT")):
            op.execute(
                f"CREATE TRIGGER ledger_is_append_only_{name} BEFORE {moment} ON ledger_entries "
                f"{there if moment == 'INSERT' else ''} BEGIN SELECT RAISE(ABORT, 'ledger_is_append_only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN RAISE EXCEPTION 'ledger_is_append_only' USING ERRCODE = 'check_violation'; END $$"
        )
        op.execute(
            "CREATE TRIGGER ledger_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()"
        )


def downgrade() -> None:
    op.drop_table("ledger_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ledger_is_append_only()")
