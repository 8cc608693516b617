"""Agreements of two admins to reset the password of another one, and audit log entries about them."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None

_OLD = (
    "action IN ('group_role_changed', 'group_member_removed', 'family_role_changed', 'family_member_removed', "
    "'message_deleted', 'device_revoked', 'password_reset', 'account_deleted', 'contact_ended', 'contact_restored', "
    "'reset_link_created')"
)
_NEW = _OLD.removesuffix(")") + ", 'reset_requested', 'reset_agreed', 'reset_cancelled')"
_LOG, _RULE = "ledger_entries", "ck_ledger_entries_action"
_TABLE = "reset_agreements"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.Column("family_id", Id(length=36), nullable=False),
        sa.Column("asked_by_id", Id(length=36), nullable=False),
        sa.Column("agreed_by_id", Id(length=36), nullable=True),
        sa.Column("asked_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("agreed_at", UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("user_id <> asked_by_id", name=op.f(f"ck_{_TABLE}_asked_by_another")),
        sa.CheckConstraint(
            "agreed_by_id <> user_id AND agreed_by_id <> asked_by_id", name=op.f(f"ck_{_TABLE}_agreed_by_a_third")
        ),
        sa.CheckConstraint("(agreed_by_id IS NULL) = (agreed_at IS NULL)", name=op.f(f"ck_{_TABLE}_agreed_pair")),
        *(
            sa.ForeignKeyConstraint(
                [column], ["accounts_users.id"], name=op.f(f"fk_{_TABLE}_{column}_accounts_users"), ondelete="CASCADE"
            )
            for column in ("user_id", "asked_by_id", "agreed_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["family_id"], ["families.id"], name=op.f(f"fk_{_TABLE}_family_id_families"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f(f"pk_{_TABLE}")),
    )
    for column in ("family_id", "asked_by_id", "agreed_by_id"):
        op.create_index(op.f(f"ix_{_TABLE}_{column}"), _TABLE, [column], unique=False)
    _replace_rule(_OLD, _NEW)


def downgrade() -> None:
    """Go back, which the restored rule refuses if there is an entry about an agreement."""
    _replace_rule(_NEW, _OLD)
    op.drop_table(_TABLE)


def _replace_rule(old: str, new: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(op.f(_RULE), _LOG)
        op.create_check_constraint(op.f(_RULE), _LOG, new)
        return
    # SQLite cannot change a constraint, so a copy replaces the table.
    stored = "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'table' DESC"
    (_, created), *others = connection.exec_driver_sql(stored, (_LOG,)).all()
    if f"CHECK ({old})" not in created:
        raise LookupError(f"{_LOG} has no rule {old}")
    _, body = created.replace(f"CHECK ({old})", f"CHECK ({new})").split("(", 1)
    op.execute(f"CREATE TABLE {_LOG}_new ({body}")
    op.execute(f"INSERT INTO {_LOG}_new SELECT * FROM {_LOG}")  # noqa: S608 - constants only  # nosec B608
    op.drop_table(_LOG)
    op.rename_table(f"{_LOG}_new", _LOG)
    for _, sql in others:  # the indexes and triggers, which were dropped with the table
        connection.exec_driver_sql(sql)
