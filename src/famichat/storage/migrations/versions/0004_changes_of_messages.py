"""Changes to messages: edits with former versions, deletions, reactions, and their numbering.

Columns are added one by one, with their constraints beside them, which both databases do without copying a table.
"""

import sqlalchemy as sa
from alembic import op

import famichat.storage.base

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    id_type = "uuid" if op.get_bind().dialect.name == "postgresql" else "CHAR(36)"
    op.execute(
        "ALTER TABLE conversations ADD COLUMN last_change BIGINT DEFAULT '0' NOT NULL "
        "CONSTRAINT ck_conversations_last_change CHECK (last_change >= 0)"
    )
    op.execute(
        "ALTER TABLE messages ADD COLUMN edits INTEGER DEFAULT '0' NOT NULL "
        "CONSTRAINT ck_messages_edits CHECK (edits >= 0)"
    )
    op.execute(
        "ALTER TABLE messages ADD COLUMN change BIGINT DEFAULT '0' NOT NULL "
        "CONSTRAINT ck_messages_change CHECK (change >= 0)"
    )
    op.execute(
        f"ALTER TABLE messages ADD COLUMN deleted_by_id {id_type} "
        "CONSTRAINT ck_messages_deletion CHECK "
        "((deleted_at IS NULL AND deleted_by_id IS NULL) OR (deleted_at IS NOT NULL AND body IS NULL))"
    )
    op.create_index(
        "uq_messages_change",
        "messages",
        ["conversation_id", "change"],
        unique=True,
        sqlite_where=sa.text("change > 0"),
        postgresql_where=sa.text("change > 0"),
    )
    op.create_table(
        "message_edits",
        sa.Column("message_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("encryption_flag", sa.Boolean(), nullable=False),
        sa.Column("encryption_version", sa.String(length=32), nullable=True),
        sa.Column("key_id", sa.String(length=128), nullable=True),
        sa.Column("protocol", sa.String(length=32), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("sender_device_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("written_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 0", name=op.f("ck_message_edits_version")),
        sa.CheckConstraint("length(body) <= 65600", name=op.f("ck_message_edits_body_length")),
        sa.CheckConstraint(
            "NOT encryption_flag OR (encryption_version IS NOT NULL AND key_id IS NOT NULL)",
            name=op.f("ck_message_edits_encryption"),
        ),
        sa.CheckConstraint(
            "protocol IS NULL OR (encryption_flag AND length(protocol) BETWEEN 1 AND 32)",
            name=op.f("ck_message_edits_protocol"),
        ),
        sa.CheckConstraint(
            "epoch IS NULL OR (encryption_flag AND epoch BETWEEN 0 AND 9007199254740992)",
            name=op.f("ck_message_edits_epoch"),
        ),
        sa.CheckConstraint("sender_device_id IS NULL OR encryption_flag", name=op.f("ck_message_edits_sender_device")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_edits_message_id_messages"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "version", name=op.f("pk_message_edits")),
    )
    op.create_table(
        "message_reactions",
        sa.Column("message_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("emoji", sa.LargeBinary(), nullable=False),
        sa.Column("encryption_flag", sa.Boolean(), nullable=False),
        sa.Column("encryption_version", sa.String(length=32), nullable=True),
        sa.Column("key_id", sa.String(length=128), nullable=True),
        sa.Column("protocol", sa.String(length=32), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("sender_device_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("reacted_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(emoji) BETWEEN 1 AND 512", name=op.f("ck_message_reactions_emoji_length")),
        sa.CheckConstraint(
            "NOT encryption_flag OR (encryption_version IS NOT NULL AND key_id IS NOT NULL)",
            name=op.f("ck_message_reactions_encryption"),
        ),
        sa.CheckConstraint(
            "protocol IS NULL OR (encryption_flag AND length(protocol) BETWEEN 1 AND 32)",
            name=op.f("ck_message_reactions_protocol"),
        ),
        sa.CheckConstraint(
            "epoch IS NULL OR (encryption_flag AND epoch BETWEEN 0 AND 9007199254740992)",
            name=op.f("ck_message_reactions_epoch"),
        ),
        sa.CheckConstraint(
            "sender_device_id IS NULL OR encryption_flag", name=op.f("ck_message_reactions_sender_device")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_reactions_message_id_messages"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_message_reactions_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", "user_id", name=op.f("pk_message_reactions")),
    )
    op.create_index(op.f("ix_message_reactions_user_id"), "message_reactions", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_message_reactions_user_id"), table_name="message_reactions")
    op.drop_table("message_reactions")
    op.drop_table("message_edits")
    op.drop_index("uq_messages_change", table_name="messages")
    # Each takes its constraints along; on SQLite from 3.35 on.
    for table, column in (
        ("messages", "deleted_by_id"),
        ("messages", "change"),
        ("messages", "edits"),
        ("conversations", "last_change"),
    ):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
