"""Columns for a full end-to-end encryption protocol such as MLS (RFC 9420) in the message envelope."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ADDED: tuple[tuple[str, Any, str, str], ...] = (
    (
        "protocol",
        sa.String(length=32),
        "ck_messages_protocol",
        "protocol IS NULL OR (encryption_flag AND length(protocol) BETWEEN 1 AND 32)",
    ),
    (
        "epoch",
        sa.BigInteger(),
        "ck_messages_epoch",
        "epoch IS NULL OR (encryption_flag AND epoch BETWEEN 0 AND 9007199254740992)",
    ),
    (
        "sender_device_id",
        Id(),
        "ck_messages_sender_device",
        "sender_device_id IS NULL OR (encryption_flag AND (device_id IS NULL OR sender_device_id = device_id))",
    ),
)


def upgrade() -> None:
    for name, kind, constraint, rule in _ADDED:
        if op.get_bind().dialect.name == "sqlite":
            # With its rule, as SQLite can: copying the table would run its foreign keys' actions when the old one goes.
            written = kind.compile(dialect=op.get_bind().dialect)
            op.execute(f"ALTER TABLE messages ADD COLUMN {name} {written} CONSTRAINT {constraint} CHECK ({rule})")
        else:
            op.add_column("messages", sa.Column(name, kind, nullable=True))
            op.create_check_constraint(op.f(constraint), "messages", rule)


def downgrade() -> None:
    for name, _kind, constraint, _rule in reversed(_ADDED):
        if op.get_bind().dialect.name != "sqlite":
            op.drop_constraint(op.f(constraint), "messages")
        op.drop_column("messages", name)
