"""First schema: accounts, families, conversations, messages, receipts and the database epoch."""

import sqlalchemy as sa
from alembic import op

import famichat.storage.base
from famichat.storage.base import new_id, now

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts_guesses",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("began_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("counted >= 0", name=op.f("ck_accounts_guesses_counted")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_accounts_guesses")),
    )
    op.create_index(op.f("ix_accounts_guesses_began_at"), "accounts_guesses", ["began_at"], unique=False)
    op.create_table(
        "accounts_users",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("username", sa.String(length=32), nullable=False),
        sa.Column("username_key", sa.String(length=256), nullable=False),
        sa.Column("username_look", sa.String(length=256), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("email_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("confirmed_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("confirmation_token", sa.LargeBinary(length=32), nullable=True),
        sa.Column("reset_token", sa.LargeBinary(length=32), nullable=True),
        sa.Column("reset_token_sent_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_login_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("read_notices", sa.Boolean(), nullable=False),
        sa.Column("typing_notices", sa.Boolean(), nullable=False),
        sa.Column("inserted_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(username) BETWEEN 1 AND 32", name=op.f("ck_accounts_users_username_length")),
        sa.CheckConstraint(
            "length(username_key) BETWEEN 1 AND 256", name=op.f("ck_accounts_users_username_key_length")
        ),
        sa.CheckConstraint(
            "length(username_look) BETWEEN 1 AND 256", name=op.f("ck_accounts_users_username_look_length")
        ),
        sa.CheckConstraint(
            "length(password_hash) BETWEEN 1 AND 255", name=op.f("ck_accounts_users_password_hash_length")
        ),
        sa.CheckConstraint("(email IS NULL) = (email_index IS NULL)", name=op.f("ck_accounts_users_email_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_users")),
        sa.UniqueConstraint("confirmation_token", name=op.f("uq_accounts_users_confirmation_token")),
        sa.UniqueConstraint("email_index", name=op.f("uq_accounts_users_email_index")),
        sa.UniqueConstraint("reset_token", name=op.f("uq_accounts_users_reset_token")),
        sa.UniqueConstraint("username_key", name=op.f("uq_accounts_users_username_key")),
        sa.UniqueConstraint("username_look", name=op.f("uq_accounts_users_username_look")),
    )
    op.create_table(
        "families",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_families_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_families")),
    )
    op.create_table(
        "history",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("began_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_history_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_table(
        "accounts_devices",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 64", name=op.f("ck_accounts_devices_name_length")),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_accounts_devices_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_devices")),
    )
    op.create_index(op.f("ix_accounts_devices_user_id"), "accounts_devices", ["user_id"], unique=False)
    op.create_table(
        "accounts_invites",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("family_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_by_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("created_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("accepted_by_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("revoked_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('admin', 'member')", name=op.f("ck_accounts_invites_role")),
        sa.ForeignKeyConstraint(
            ["accepted_by_id"],
            ["accounts_users.id"],
            name=op.f("fk_accounts_invites_accepted_by_id_accounts_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"],
            ["accounts_users.id"],
            name=op.f("fk_accounts_invites_created_by_id_accounts_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["family_id"], ["families.id"], name=op.f("fk_accounts_invites_family_id_families"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_invites")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_accounts_invites_token_hash")),
    )
    op.create_index(op.f("ix_accounts_invites_family_id"), "accounts_invites", ["family_id"], unique=False)
    op.create_table(
        "conversations",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("family_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("owner_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("direct_key", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created_by_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("encryption_required", sa.Boolean(), nullable=False),
        sa.Column("history", sa.String(length=8), nullable=True),
        sa.Column("created_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(type = 'direct') = (direct_key IS NOT NULL)", name=op.f("ck_conversations_direct_key")),
        sa.CheckConstraint("(type = 'self') = (owner_id IS NOT NULL)", name=op.f("ck_conversations_owner")),
        sa.CheckConstraint("type = 'self' OR family_id IS NOT NULL", name=op.f("ck_conversations_family")),
        sa.CheckConstraint("type IN ('self', 'direct', 'group', 'family')", name=op.f("ck_conversations_type")),
        sa.CheckConstraint("(type = 'group') = (history IS NOT NULL)", name=op.f("ck_conversations_history_of_group")),
        sa.CheckConstraint("history IN ('joined', 'all')", name=op.f("ck_conversations_history")),
        sa.CheckConstraint("last_seq >= 0", name=op.f("ck_conversations_last_seq")),
        sa.CheckConstraint("name IS NULL OR length(name) BETWEEN 1 AND 100", name=op.f("ck_conversations_name_length")),
        sa.ForeignKeyConstraint(
            ["created_by_id"],
            ["accounts_users.id"],
            name=op.f("fk_conversations_created_by_id_accounts_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["family_id"], ["families.id"], name=op.f("fk_conversations_family_id_families"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["accounts_users.id"],
            name=op.f("fk_conversations_owner_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(op.f("ix_conversations_family_id"), "conversations", ["family_id"], unique=False)
    op.create_index("uq_conversations_direct", "conversations", ["direct_key"], unique=True)
    op.create_index(
        "uq_conversations_family",
        "conversations",
        ["family_id"],
        unique=True,
        sqlite_where=sa.text("type = 'family'"),
        postgresql_where=sa.text("type = 'family'"),
    )
    op.create_index("uq_conversations_self", "conversations", ["owner_id"], unique=True)
    op.create_table(
        "family_memberships",
        sa.Column("family_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("joined_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('admin', 'member')", name=op.f("ck_family_memberships_role")),
        sa.ForeignKeyConstraint(
            ["family_id"], ["families.id"], name=op.f("fk_family_memberships_family_id_families"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_family_memberships_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("family_id", "user_id", name=op.f("pk_family_memberships")),
    )
    op.create_index(op.f("ix_family_memberships_user_id"), "family_memberships", ["user_id"], unique=False)
    op.create_table(
        "accounts_passkeys",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(length=1023), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 64", name=op.f("ck_accounts_passkeys_name_length")),
        sa.CheckConstraint("sign_count >= 0", name=op.f("ck_accounts_passkeys_sign_count")),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_accounts_passkeys_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_accounts_passkeys_credential_id")),
    )
    op.create_index(op.f("ix_accounts_passkeys_user_id"), "accounts_passkeys", ["user_id"], unique=False)
    op.create_table(
        "accounts_used_challenges",
        sa.Column("challenge_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("challenge_hash", name=op.f("pk_accounts_used_challenges")),
    )
    op.create_index(
        op.f("ix_accounts_used_challenges_expires_at"), "accounts_used_challenges", ["expires_at"], unique=False
    )
    op.create_table(
        "accounts_refresh_tokens",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("device_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["accounts_devices.id"],
            name=op.f("fk_accounts_refresh_tokens_device_id_accounts_devices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_refresh_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_accounts_refresh_tokens_token_hash")),
    )
    op.create_index(
        op.f("ix_accounts_refresh_tokens_device_id"), "accounts_refresh_tokens", ["device_id"], unique=False
    )
    op.create_table(
        "push_subscriptions",
        sa.Column("device_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("endpoint_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["accounts_devices.id"],
            name=op.f("fk_push_subscriptions_device_id_accounts_devices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_push_subscriptions")),
        sa.UniqueConstraint("endpoint_index", name=op.f("uq_push_subscriptions_endpoint_index")),
    )
    op.create_table(
        "push_choices",
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("content", sa.String(length=8), nullable=False),
        sa.Column("quiet_from", sa.String(length=5), nullable=True),
        sa.Column("quiet_until", sa.String(length=5), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("updated_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("content IN ('none', 'sender', 'full')", name=op.f("ck_push_choices_content")),
        sa.CheckConstraint(
            "(quiet_from IS NULL) = (quiet_until IS NULL) AND (quiet_from IS NULL) = (time_zone IS NULL)",
            name=op.f("ck_push_choices_quiet"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_push_choices_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_push_choices")),
    )
    op.create_table(
        "conversation_participants",
        sa.Column("conversation_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("joined_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("visible_from_seq", sa.BigInteger(), nullable=False),
        sa.Column("hidden_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("archived_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("muted_until", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("visible_from_seq >= 1", name=op.f("ck_conversation_participants_visible_from_seq")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_conversation_participants_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_conversation_participants_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_conversation_participants")),
    )
    op.create_index(
        op.f("ix_conversation_participants_user_id"), "conversation_participants", ["user_id"], unique=False
    )
    op.create_table(
        "group_conversation_privileges",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("conversation_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("granted_by_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column(
            "granted_at",
            famichat.storage.base.UtcDateTime(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
        ),
        sa.Column("inserted_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('admin', 'member')", name=op.f("ck_group_conversation_privileges_role")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_group_conversation_privileges_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["granted_by_id"],
            ["accounts_users.id"],
            name=op.f("fk_group_conversation_privileges_granted_by_id_accounts_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_group_conversation_privileges_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_conversation_privileges")),
        sa.UniqueConstraint(
            "conversation_id", "user_id", name=op.f("uq_group_conversation_privileges_conversation_id_user_id")
        ),
    )
    op.create_index(
        op.f("ix_group_conversation_privileges_conversation_id"),
        "group_conversation_privileges",
        ["conversation_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_group_conversation_privileges_granted_by_id"),
        "group_conversation_privileges",
        ["granted_by_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_group_conversation_privileges_user_id"), "group_conversation_privileges", ["user_id"], unique=False
    )
    op.create_table(
        "message_receipts",
        sa.Column("conversation_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("device_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("delivered_seq", sa.BigInteger(), nullable=False),
        sa.Column("read_seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("0 <= read_seq AND read_seq <= delivered_seq", name=op.f("ck_message_receipts_order")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_message_receipts_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["accounts_devices.id"],
            name=op.f("fk_message_receipts_device_id_accounts_devices"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["accounts_users.id"],
            name=op.f("fk_message_receipts_user_id_accounts_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "device_id", name=op.f("pk_message_receipts")),
    )
    op.create_index(op.f("ix_message_receipts_device_id"), "message_receipts", ["device_id"], unique=False)
    op.create_index(op.f("ix_message_receipts_user_id"), "message_receipts", ["user_id"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("conversation_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("user_id", famichat.storage.base.Id(length=36), nullable=False),
        sa.Column("device_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("message_type", sa.String(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("client_id", sa.String(length=128), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=True),
        sa.Column("reply_to_id", famichat.storage.base.Id(length=36), nullable=True),
        sa.Column("encryption_flag", sa.Boolean(), nullable=False),
        sa.Column("encryption_version", sa.String(length=32), nullable=True),
        sa.Column("key_id", sa.String(length=128), nullable=True),
        sa.Column("inserted_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("edited_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", famichat.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(client_id IS NULL) = (fingerprint IS NULL)", name=op.f("ck_messages_fingerprint")),
        sa.CheckConstraint(
            "NOT encryption_flag OR (encryption_version IS NOT NULL AND key_id IS NOT NULL)",
            name=op.f("ck_messages_encryption"),
        ),
        sa.CheckConstraint("body IS NULL OR length(body) <= 65600", name=op.f("ck_messages_body_length")),
        sa.CheckConstraint(
            "client_id IS NULL OR length(client_id) BETWEEN 1 AND 128", name=op.f("ck_messages_client_id_length")
        ),
        sa.CheckConstraint(
            "encryption_version IS NULL OR length(encryption_version) BETWEEN 1 AND 32",
            name=op.f("ck_messages_encryption_version_length"),
        ),
        sa.CheckConstraint(
            "key_id IS NULL OR length(key_id) BETWEEN 1 AND 128", name=op.f("ck_messages_key_id_length")
        ),
        sa.CheckConstraint("length(message_type) BETWEEN 1 AND 32", name=op.f("ck_messages_message_type_length")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_messages_seq")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_messages_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["accounts_devices.id"],
            name=op.f("fk_messages_device_id_accounts_devices"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["reply_to_id"], ["messages.id"], name=op.f("fk_messages_reply_to_id_messages"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["accounts_users.id"], name=op.f("fk_messages_user_id_accounts_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("conversation_id", "seq", name=op.f("uq_messages_conversation_id_seq")),
    )
    op.create_index(op.f("ix_messages_device_id"), "messages", ["device_id"], unique=False)
    op.create_index(op.f("ix_messages_reply_to_id"), "messages", ["reply_to_id"], unique=False)
    op.create_index("ix_messages_user_id_conversation_id_seq", "messages", ["user_id", "conversation_id", "seq"])
    op.create_index("uq_messages_client_id", "messages", ["conversation_id", "user_id", "client_id"], unique=True)
    _refuse_changed_types()
    op.bulk_insert(
        sa.table(
            "history",
            sa.column("id"),
            sa.column("epoch", famichat.storage.base.Id),
            sa.column("began_at", famichat.storage.base.UtcDateTime),
        ),
        [{"id": 1, "epoch": new_id(), "began_at": now()}],
    )


def _refuse_changed_types() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER conversations_type_is_immutable BEFORE UPDATE OF type ON conversations "
            "WHEN NEW.type IS NOT OLD.type "
            "BEGIN SELECT RAISE(ABORT, 'conversations_type_is_immutable'); END"
        )
    else:
        op.execute(
            "CREATE FUNCTION conversations_type_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN RAISE EXCEPTION 'conversations_type_is_immutable' USING ERRCODE = 'check_violation'; END $$"
        )
        op.execute(
            "CREATE TRIGGER conversations_type_is_immutable BEFORE UPDATE OF type ON conversations "
            "FOR EACH ROW WHEN (NEW.type IS DISTINCT FROM OLD.type) "
            "EXECUTE FUNCTION conversations_type_is_immutable()"
        )


def downgrade() -> None:
    op.drop_index("uq_messages_client_id", table_name="messages")
    op.drop_index("ix_messages_user_id_conversation_id_seq", table_name="messages")
    op.drop_index(op.f("ix_messages_reply_to_id"), table_name="messages")
    op.drop_index(op.f("ix_messages_device_id"), table_name="messages")
    op.drop_table("messages")
    op.drop_index(op.f("ix_message_receipts_user_id"), table_name="message_receipts")
    op.drop_index(op.f("ix_message_receipts_device_id"), table_name="message_receipts")
    op.drop_table("message_receipts")
    op.drop_index(op.f("ix_group_conversation_privileges_user_id"), table_name="group_conversation_privileges")
    op.drop_index(op.f("ix_group_conversation_privileges_granted_by_id"), table_name="group_conversation_privileges")
    op.drop_index(op.f("ix_group_conversation_privileges_conversation_id"), table_name="group_conversation_privileges")
    op.drop_table("group_conversation_privileges")
    op.drop_index(op.f("ix_conversation_participants_user_id"), table_name="conversation_participants")
    op.drop_table("conversation_participants")
    op.drop_index(op.f("ix_accounts_used_challenges_expires_at"), table_name="accounts_used_challenges")
    op.drop_table("accounts_used_challenges")
    op.drop_index(op.f("ix_accounts_passkeys_user_id"), table_name="accounts_passkeys")
    op.drop_table("accounts_passkeys")
    op.drop_table("push_choices")
    op.drop_table("push_subscriptions")
    op.drop_index(op.f("ix_accounts_refresh_tokens_device_id"), table_name="accounts_refresh_tokens")
    op.drop_table("accounts_refresh_tokens")
    op.drop_index(op.f("ix_family_memberships_user_id"), table_name="family_memberships")
    op.drop_table("family_memberships")
    op.drop_index("uq_conversations_self", table_name="conversations")
    op.drop_index(
        "uq_conversations_family",
        table_name="conversations",
        sqlite_where=sa.text("type = 'family'"),
        postgresql_where=sa.text("type = 'family'"),
    )
    op.drop_index("uq_conversations_direct", table_name="conversations")
    op.drop_index(op.f("ix_conversations_family_id"), table_name="conversations")
    op.drop_table("conversations")
    op.drop_index(op.f("ix_accounts_invites_family_id"), table_name="accounts_invites")
    op.drop_table("accounts_invites")
    op.drop_index(op.f("ix_accounts_devices_user_id"), table_name="accounts_devices")
    op.drop_table("accounts_devices")
    op.drop_table("history")
    op.drop_table("families")
    op.drop_table("accounts_users")
    op.drop_index(op.f("ix_accounts_guesses_began_at"), table_name="accounts_guesses")
    op.drop_table("accounts_guesses")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION conversations_type_is_immutable()")
