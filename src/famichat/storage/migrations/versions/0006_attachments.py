"""Attachments: metadata of photos, files and voice notes; their bytes are stored in files."""

import sqlalchemy as sa
from alembic import op

import famichat.storage.base

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("conversation_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("message_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("position", sa.SmallInteger(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.String(length=64), nullable=False),
        sa.Column("encrypted", sa.Boolean(), nullable=False),
        sa.Column("keep_metadata", sa.Boolean(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("thumbnail_bytes", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(width IS NULL) = (height IS NULL)", name=op.f("ck_attachments_measures")),
        sa.CheckConstraint("length(content_type) BETWEEN 1 AND 64", name=op.f("ck_attachments_content_type_length")),
        sa.CheckConstraint("message_id IS NULL OR finished_at IS NOT NULL", name=op.f("ck_attachments_finished")),
        sa.CheckConstraint("message_id IS NULL OR position IS NOT NULL", name=op.f("ck_attachments_position")),
        sa.CheckConstraint("size >= 1", name=op.f("ck_attachments_size")),
        sa.CheckConstraint("thumbnail_bytes >= 0", name=op.f("ck_attachments_thumbnail_bytes")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_attachments_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_attachments_message_id_messages"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["accounts_users.id"], name=op.f("fk_attachments_user_id_accounts_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("message_id", "position", name=op.f("uq_attachments_message_id_position")),
    )
    op.create_index(op.f("ix_attachments_conversation_id"), "attachments", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_attachments_user_id"), "attachments", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_attachments_user_id"), table_name="attachments")
    op.drop_index(op.f("ix_attachments_conversation_id"), table_name="attachments")
    op.drop_table("attachments")
