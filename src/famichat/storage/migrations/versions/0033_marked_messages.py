"""Pinned messages, and messages that a user has starred or hidden."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message_pins",
        sa.Column("message_id", Id(length=36), nullable=False),
        sa.Column("conversation_id", Id(length=36), nullable=False),
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.Column("inserted_at", UtcDateTime(timezone=True), nullable=False),
        *_references("message_pins"),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_pins")),
    )
    for column in ("conversation_id", "user_id"):
        op.create_index(op.f(f"ix_message_pins_{column}"), "message_pins", [column], unique=False)
    op.create_table(
        "message_marks",
        sa.Column("user_id", Id(length=36), nullable=False),
        sa.Column("conversation_id", Id(length=36), nullable=False),
        sa.Column("mark", sa.String(length=8), nullable=False),
        sa.Column("message_id", Id(length=36), nullable=False),
        sa.Column("inserted_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mark IN ('starred', 'hidden')", name=op.f("ck_message_marks_mark")),
        *_references("message_marks"),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", "mark", "message_id", name=op.f("pk_message_marks")),
    )
    for column in ("conversation_id", "message_id"):
        op.create_index(op.f(f"ix_message_marks_{column}"), "message_marks", [column], unique=False)


def downgrade() -> None:
    op.drop_table("message_marks")
    op.drop_table("message_pins")


def _references(table: str) -> list[sa.ForeignKeyConstraint]:
    referred = {"message_id": "messages", "conversation_id": "conversations", "user_id": "accounts_users"}
    return [
        sa.ForeignKeyConstraint(
            [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete="CASCADE"
        )
        for column, other in referred.items()
    ]
