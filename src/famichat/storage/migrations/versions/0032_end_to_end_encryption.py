"""Account keys, device keys, key packages, key shares and MLS groups."""

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_TABLES = (
    "key_requests",
    "key_shares",
    "mls_welcome_devices",
    "mls_welcomes",
    "mls_commits",
    "mls_leaves",
    "mls_groups",
    "key_packages",
    "device_keys",
    "account_keys",
)


def upgrade() -> None:
    _create_keys()
    _create_groups()
    _create_shares()


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)


def _create_keys() -> None:
    op.create_table(
        "account_keys",
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hpke_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("rotation_signature", sa.LargeBinary(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_account_keys_version")),
        sa.CheckConstraint("length(public_key) = 32", name=op.f("ck_account_keys_public_key")),
        sa.CheckConstraint("length(hpke_key) = 32", name=op.f("ck_account_keys_hpke_key")),
        sa.CheckConstraint(
            "rotation_signature IS NULL OR (version > 1 AND length(rotation_signature) = 64)",
            name=op.f("ck_account_keys_rotation_signature"),
        ),
        sa.PrimaryKeyConstraint("user_id", "version", name=op.f("pk_account_keys")),
    )
    op.create_table(
        "device_keys",
        sa.Column("device_id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("signature_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hpke_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("certificate", sa.LargeBinary(length=64), nullable=True),
        sa.Column("account_version", sa.Integer(), nullable=True),
        sa.Column("published_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(signature_key) = 32", name=op.f("ck_device_keys_signature_key")),
        sa.CheckConstraint("length(hpke_key) = 32", name=op.f("ck_device_keys_hpke_key")),
        sa.CheckConstraint("certificate IS NULL OR length(certificate) = 64", name=op.f("ck_device_keys_certificate")),
        sa.CheckConstraint(
            "(certificate IS NULL) = (account_version IS NULL)", name=op.f("ck_device_keys_account_version")
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_keys")),
        sa.UniqueConstraint("signature_key", name=op.f("uq_device_keys_signature_key")),
    )
    op.create_index(op.f("ix_device_keys_user_id"), "device_keys", ["user_id"], unique=False)
    op.create_table(
        "key_packages",
        sa.Column("ref", sa.LargeBinary(length=32), nullable=False),
        sa.Column("device_id", Id(), nullable=False),
        sa.Column("body", sa.LargeBinary(length=2048), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_resort", sa.Boolean(), nullable=False),
        sa.Column("claimed_for", Id(), nullable=True),
        sa.CheckConstraint("length(ref) = 32", name=op.f("ck_key_packages_ref")),
        sa.CheckConstraint("length(body) <= 2048", name=op.f("ck_key_packages_body_length")),
        sa.CheckConstraint("NOT last_resort OR claimed_for IS NULL", name=op.f("ck_key_packages_last_resort")),
        _reference("key_packages", "device_id", "accounts_devices.id"),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_key_packages")),
    )
    op.create_index(op.f("ix_key_packages_device_id"), "key_packages", ["device_id"], unique=False)
    op.create_index(op.f("ix_key_packages_expires_at"), "key_packages", ["expires_at"], unique=False)


def _create_groups() -> None:
    op.create_table(
        "mls_groups",
        sa.Column("conversation_id", Id(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("since_seq", sa.BigInteger(), nullable=False),
        sa.Column("group_info", sa.LargeBinary(length=262144), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("generation >= 0", name=op.f("ck_mls_groups_generation")),
        sa.CheckConstraint("epoch >= 1", name=op.f("ck_mls_groups_epoch")),
        sa.CheckConstraint("length(group_id) = 32", name=op.f("ck_mls_groups_group_id")),
        sa.CheckConstraint("length(group_info) <= 262144", name=op.f("ck_mls_groups_group_info_length")),
        _reference("mls_groups", "conversation_id", "conversations.id"),
        sa.PrimaryKeyConstraint("conversation_id", name=op.f("pk_mls_groups")),
    )
    op.create_table(
        "mls_leaves",
        sa.Column("conversation_id", Id(), nullable=False),
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("device_id", Id(), nullable=False),
        _reference("mls_leaves", "conversation_id", "mls_groups.conversation_id"),
        sa.PrimaryKeyConstraint("conversation_id", "leaf_index", name=op.f("pk_mls_leaves")),
    )
    op.create_table(
        "mls_commits",
        sa.Column("conversation_id", Id(), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("encoded", sa.LargeBinary(length=262144), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("device_id", Id(), nullable=False),
        sa.Column("since_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(encoded) <= 262144", name=op.f("ck_mls_commits_encoded_length")),
        _reference("mls_commits", "conversation_id", "conversations.id"),
        sa.PrimaryKeyConstraint("conversation_id", "generation", "epoch", name=op.f("pk_mls_commits")),
    )
    op.create_index(op.f("ix_mls_commits_created_at"), "mls_commits", ["created_at"], unique=False)
    op.create_table(
        "mls_welcomes",
        sa.Column("id", Id(), nullable=False),
        sa.Column("conversation_id", Id(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(length=262144), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(body) <= 262144", name=op.f("ck_mls_welcomes_body_length")),
        _reference("mls_welcomes", "conversation_id", "conversations.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mls_welcomes")),
    )
    op.create_index(op.f("ix_mls_welcomes_conversation_id"), "mls_welcomes", ["conversation_id"], unique=False)
    op.create_table(
        "mls_welcome_devices",
        sa.Column("welcome_id", Id(), nullable=False),
        sa.Column("device_id", Id(), nullable=False),
        _reference("mls_welcome_devices", "welcome_id", "mls_welcomes.id"),
        _reference("mls_welcome_devices", "device_id", "accounts_devices.id"),
        sa.PrimaryKeyConstraint("welcome_id", "device_id", name=op.f("pk_mls_welcome_devices")),
    )
    op.create_index(op.f("ix_mls_welcome_devices_device_id"), "mls_welcome_devices", ["device_id"], unique=False)


def _create_shares() -> None:
    op.create_table(
        "key_shares",
        sa.Column("id", Id(), nullable=False),
        sa.Column("to_device_id", Id(), nullable=False),
        sa.Column("from_user_id", Id(), nullable=False),
        sa.Column("conversation_id", Id(), nullable=True),
        sa.Column("ciphertext", sa.LargeBinary(length=65536), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(ciphertext) <= 65536", name=op.f("ck_key_shares_ciphertext_length")),
        _reference("key_shares", "to_device_id", "accounts_devices.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_shares")),
    )
    op.create_index(op.f("ix_key_shares_to_device_id"), "key_shares", ["to_device_id"], unique=False)
    op.create_table(
        "key_requests",
        sa.Column("id", Id(), nullable=False),
        sa.Column("device_id", Id(), nullable=False),
        sa.Column("conversation_id", Id(), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        _reference("key_requests", "device_id", "accounts_devices.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_requests")),
    )
    op.create_index("uq_key_requests_conversation", "key_requests", ["device_id", "conversation_id"], unique=True)
    account = sa.text("conversation_id IS NULL")
    op.create_index(
        "uq_key_requests_account",
        "key_requests",
        ["device_id"],
        unique=True,
        sqlite_where=account,
        postgresql_where=account,
    )
    op.create_index(op.f("ix_key_requests_conversation_id"), "key_requests", ["conversation_id"], unique=False)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}_{target.split('.', maxsplit=1)[0]}"
    return sa.ForeignKeyConstraint([column], [target], name=op.f(name), ondelete="CASCADE")
