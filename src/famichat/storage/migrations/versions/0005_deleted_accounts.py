"""Account deletion: a deleted account keeps its row with the id, without name, e-mail address or password."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CREDENTIALS = ("username", "username_key", "username_look", "password_hash")
_LIVING = "deleted_at IS NOT NULL OR (" + " AND ".join(f"{each} IS NOT NULL" for each in _CREDENTIALS) + ")"
_SECRETS = (*_CREDENTIALS, "email", "confirmation_token", "reset_token")
_DELETED = "deleted_at IS NULL OR (" + " AND ".join(f"{each} IS NULL" for each in _SECRETS) + ")"
_KEPT = (
    ("username_length", "length(username) BETWEEN 1 AND 32"),
    ("username_key_length", "length(username_key) BETWEEN 1 AND 256"),
    ("username_look_length", "length(username_look) BETWEEN 1 AND 256"),
    ("password_hash_length", "length(password_hash) BETWEEN 1 AND 255"),
    ("email_pair", "(email IS NULL) = (email_index IS NULL)"),
)
_ADDED = (("living", _LIVING), ("deleted", _DELETED))


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _copy(_table("accounts_users_new", deletable=True))
        return
    op.add_column("accounts_users", sa.Column("deleted_at", UtcDateTime(timezone=True), nullable=True))
    for name in _CREDENTIALS:
        op.alter_column("accounts_users", name, nullable=True)
    for name, rule in _ADDED:
        op.create_check_constraint(op.f(f"ck_accounts_users_{name}"), "accounts_users", rule)


def downgrade() -> None:
    """Go back, which is refused by the columns themselves if an account was deleted."""
    if op.get_bind().dialect.name == "sqlite":
        _copy(_table("accounts_users_new", deletable=False))
        return
    for name, _ in _ADDED:
        op.drop_constraint(op.f(f"ck_accounts_users_{name}"), "accounts_users")
    for name in _CREDENTIALS:
        op.alter_column("accounts_users", name, nullable=False)
    op.drop_column("accounts_users", "deleted_at")


def _table(name: str, *, deletable: bool) -> sa.Table:
    """The table as SQLite is to have it: it cannot change whether a column may be empty."""
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", Id(length=36), nullable=False),
        sa.Column("username", sa.String(length=32), nullable=deletable),
        sa.Column("username_key", sa.String(length=256), nullable=deletable),
        sa.Column("username_look", sa.String(length=256), nullable=deletable),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("email_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=deletable),
        sa.Column("confirmed_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("confirmation_token", sa.LargeBinary(length=32), nullable=True),
        sa.Column("reset_token", sa.LargeBinary(length=32), nullable=True),
        sa.Column("reset_token_sent_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_login_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("read_notices", sa.Boolean(), nullable=False),
        sa.Column("typing_notices", sa.Boolean(), nullable=False),
        *([sa.Column("deleted_at", UtcDateTime(timezone=True), nullable=True)] if deletable else []),
        sa.Column("inserted_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", UtcDateTime(timezone=True), nullable=False),
        *(
            sa.CheckConstraint(rule, name=f"ck_accounts_users_{each}")
            for each, rule in (*_KEPT, *(_ADDED if deletable else ()))
        ),
        sa.PrimaryKeyConstraint("id", name="pk_accounts_users"),
        sa.UniqueConstraint("confirmation_token", name="uq_accounts_users_confirmation_token"),
        sa.UniqueConstraint("email_index", name="uq_accounts_users_email_index"),
        sa.UniqueConstraint("reset_token", name="uq_accounts_users_reset_token"),
        sa.UniqueConstraint("username_key", name="uq_accounts_users_username_key"),
        sa.UniqueConstraint("username_look", name="uq_accounts_users_username_look"),
    )


def _copy(changed: sa.Table) -> None:
    """Replace the users table with a changed copy that keeps all rows."""
    op.get_bind().execute(sa.schema.CreateTable(changed))
    kept = ", ".join(each.name for each in changed.columns if each.name != "deleted_at")
    op.execute(f"INSERT INTO {changed.name} ({kept}) SELECT {kept} FROM accounts_users")  # noqa: S608 - constants only  # nosec B608
    op.drop_table("accounts_users")
    op.rename_table(changed.name, "accounts_users")
