"""Audit log entries about links to reset a password."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_OLD = (
    "action IN ('group_role_changed', 'group_member_removed', 'family_role_changed', 'family_member_removed', "
    "'message_deleted', 'device_revoked', 'password_reset', 'account_deleted', 'contact_ended', 'contact_restored')"
)
_NEW = _OLD.removesuffix(")") + ", 'reset_link_created')"
_TABLE, _RULE = "ledger_entries", "ck_ledger_entries_action"


def upgrade() -> None:
    _replace_rule(_OLD, _NEW)


def downgrade() -> None:
    """Go back, which the restored rule refuses if there is an entry about a link."""
    _replace_rule(_NEW, _OLD)


def _replace_rule(old: str, new: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(op.f(_RULE), _TABLE)
        op.create_check_constraint(op.f(_RULE), _TABLE, new)
        return
    # SQLite cannot change a constraint, so a copy replaces the table.
    stored = "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'table' DESC"
    (_, created), *others = connection.exec_driver_sql(stored, (_TABLE,)).all()
    if f"CHECK ({old})" not in created:
        raise LookupError(f"{_TABLE} has no rule {old}")
    _, body = created.replace(f"CHECK ({old})", f"CHECK ({new})").split("(", 1)
    op.execute(f"CREATE TABLE {_TABLE}_new ({body}")
    op.execute(f"INSERT INTO {_TABLE}_new SELECT * FROM {_TABLE}")  # noqa: S608 - constants only  # nosec B608
    op.drop_table(_TABLE)
    op.rename_table(f"{_TABLE}_new", _TABLE)
    for _, sql in others:  # the indexes and triggers, which were dropped with the table
        connection.exec_driver_sql(sql)
