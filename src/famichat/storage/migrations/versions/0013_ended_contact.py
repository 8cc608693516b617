"""Ending contact: blocks, child accounts, and the contacts of children that guardians end."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_OLD_ROLES, _NEW_ROLES = "role IN ('admin', 'member')", "role IN ('admin', 'member', 'child')"
_OLD_ACTIONS = (
    "action IN ('group_role_changed', 'group_member_removed', 'family_role_changed', 'family_member_removed', "
    "'message_deleted', 'device_revoked', 'password_reset', 'account_deleted')"
)
_NEW_ACTIONS = _OLD_ACTIONS.removesuffix(")") + ", 'contact_ended', 'contact_restored')"
_RULES = {
    "family_memberships": {"role": (_OLD_ROLES, _NEW_ROLES)},
    "accounts_invites": {"role": (_OLD_ROLES, _NEW_ROLES)},
    "ledger_entries": {"role": (_OLD_ROLES, _NEW_ROLES), "action": (_OLD_ACTIONS, _NEW_ACTIONS)},
}


def upgrade() -> None:
    for table, rules in _RULES.items():
        _replace_rules(table, rules)
    op.create_table(
        "user_blocks",
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.Column("blocked_id", Id(length=36), nullable=False),
        sa.Column("inserted_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("blocked_id <> user_id", name=op.f("ck_user_blocks_other")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["accounts_users.id"], name=op.f("fk_user_blocks_user_id_accounts_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["blocked_id"],
            ["accounts_users.id"],
            name=op.f("fk_user_blocks_blocked_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "blocked_id", name=op.f("pk_user_blocks")),
    )
    op.create_index(op.f("ix_user_blocks_blocked_id"), "user_blocks", ["blocked_id"], unique=False)
    op.create_table(
        "ended_contacts",
        sa.Column("family_id", Id(length=36), nullable=False),
        sa.Column("child_id", Id(length=36), nullable=False),
        sa.Column("contact_id", Id(length=36), nullable=False),
        sa.Column("inserted_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("contact_id <> child_id", name=op.f("ck_ended_contacts_other")),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["accounts_users.id"],
            name=op.f("fk_ended_contacts_contact_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["family_id", "child_id"],
            ["family_memberships.family_id", "family_memberships.user_id"],
            name="fk_ended_contacts_child",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("family_id", "child_id", "contact_id", name=op.f("pk_ended_contacts")),
    )
    op.create_index(op.f("ix_ended_contacts_child_id"), "ended_contacts", ["child_id"], unique=False)
    op.create_index(op.f("ix_ended_contacts_contact_id"), "ended_contacts", ["contact_id"], unique=False)


def downgrade() -> None:
    """Go back, which the restored rules refuse if there is a child account or an entry about an ended contact."""
    op.drop_table("ended_contacts")
    op.drop_table("user_blocks")
    for table, rules in _RULES.items():
        _replace_rules(table, {name: (new, old) for name, (old, new) in rules.items()})


def _replace_rules(table: str, rules: dict[str, tuple[str, str]]) -> None:
    """Replace check constraints of a table, given as (old, new) by their names."""
    if op.get_bind().dialect.name == "sqlite":
        _copy_with_rules(table, rules)
        return
    for name, (_, new) in rules.items():
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, new)


def _copy_with_rules(table: str, rules: dict[str, tuple[str, str]]) -> None:
    """Replace a table by a copy that differs in its rules only, because SQLite cannot change a constraint."""
    connection = op.get_bind()
    stored = "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'table' DESC"
    (_, created), *others = connection.exec_driver_sql(stored, (table,)).all()
    for old, new in rules.values():
        if f"CHECK ({old})" not in created:
            raise LookupError(f"{table} has no rule {old}")
        created = created.replace(f"CHECK ({old})", f"CHECK ({new})")
    copy = f"{table}_new"
    _, body = created.split("(", 1)
    op.execute(f"CREATE TABLE {copy} ({body}")
    op.execute(f"INSERT INTO {copy} SELECT * FROM {table}")  # noqa: S608 - constants only  # nosec B608
    op.drop_table(table)
    op.rename_table(copy, table)
    for _, sql in others:  # the indexes and triggers, which were dropped with the table
        connection.exec_driver_sql(sql)
