"""Checksums of users, devices, families, conversations, memberships and roles, also of the existing ones."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime
from famichat.storage.checksum import row_checksum

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_BATCH = 1000
# The covered columns of each table, with the primary key first.
_TABLES: dict[str, tuple[int, dict[str, Any]]] = {
    "accounts_users": (
        1,
        {
            "id": Id,
            "username": sa.String,
            "username_key": sa.String,
            "username_look": sa.String,
            "display_name": sa.String,
            "color": sa.String,
            "email": sa.LargeBinary,
            "email_index": sa.LargeBinary,
            "password_hash": sa.String,
            "deleted_at": UtcDateTime,
            "inserted_at": UtcDateTime,
        },
    ),
    "accounts_devices": (
        1,
        {
            "id": Id,
            "user_id": Id,
            "name": sa.String,
            "kind": sa.String,
            "created_at": UtcDateTime,
            "revoked_at": UtcDateTime,
        },
    ),
    "families": (1, {"id": Id, "name": sa.String, "created_at": UtcDateTime}),
    "family_memberships": (2, {"family_id": Id, "user_id": Id, "role": sa.String, "joined_at": UtcDateTime}),
    "conversations": (
        1,
        {
            "id": Id,
            "type": sa.String,
            "family_id": Id,
            "name": sa.String,
            "owner_id": Id,
            "direct_key": sa.LargeBinary,
            "encryption_required": sa.Boolean,
            "history": sa.String,
            "created_at": UtcDateTime,
        },
    ),
    "conversation_participants": (
        2,
        {"conversation_id": Id, "user_id": Id, "joined_at": UtcDateTime, "visible_from_seq": sa.BigInteger},
    ),
    "group_conversation_privileges": (
        1,
        {
            "id": Id,
            "conversation_id": Id,
            "user_id": Id,
            "role": sa.String,
            "granted_at": UtcDateTime,
            "inserted_at": UtcDateTime,
        },
    ),
}
_SEALED = "email"  # the vault authenticates it, so only its presence is covered


def upgrade() -> None:
    for name, (key_columns, columns) in _TABLES.items():
        op.add_column(name, sa.Column("checksum", sa.BigInteger(), nullable=True))
        table = sa.table(name, sa.column("checksum"), *(sa.column(each, kind) for each, kind in columns.items()))
        _fill(table, list(columns)[:key_columns], list(columns))


def downgrade() -> None:
    for name in _TABLES:
        op.drop_column(name, "checksum")


def _fill(table: Any, key: list[str], columns: list[str]) -> None:
    connection = op.get_bind()
    keys, after = [table.c[each] for each in key], None
    same = [table.c[each] == sa.bindparam(f"of_{each}") for each in key]
    fill = sa.update(table).where(*same).values(checksum=sa.bindparam("new"))
    while True:
        query = sa.select(*(table.c[each] for each in columns)).order_by(*keys).limit(_BATCH)
        if after is not None:
            place = [sa.literal(value, column.type) for value, column in zip(after, keys, strict=True)]
            query = query.where(sa.tuple_(*keys) > sa.tuple_(*place))
        rows = connection.execute(query).mappings().all()
        if not rows:
            return
        connection.execute(fill, [{**{f"of_{each}": row[each] for each in key}, "new": _checksum(row)} for row in rows])
        after = [rows[-1][each] for each in key]


def _checksum(row: Any) -> int:
    values = dict(row)
    if _SEALED in values:
        values[_SEALED] = values[_SEALED] is not None
    return row_checksum(values)
