"""Checksums of messages, former versions and reactions, also of the existing ones."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from famichat.storage.base import Id, UtcDateTime
from famichat.storage.checksum import row_checksum

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_BATCH = 1000
_ENVELOPE = {
    "encryption_flag": sa.Boolean,
    "encryption_version": sa.String,
    "key_id": sa.String,
    "protocol": sa.String,
    "epoch": sa.BigInteger,
    "sender_device_id": Id,
}
# The covered columns of each table, with the primary key first; the last one may be sealed.
_TABLES: dict[str, tuple[int, dict[str, Any]]] = {
    "messages": (
        1,
        {
            "id": Id,
            "conversation_id": Id,
            "seq": sa.BigInteger,
            "user_id": Id,
            "message_type": sa.String,
            "client_id": sa.String,
            "fingerprint": sa.LargeBinary,
            **_ENVELOPE,
            "inserted_at": UtcDateTime,
            "edited_at": UtcDateTime,
            "deleted_at": UtcDateTime,
            "deleted_by_id": Id,
            "edits": sa.Integer,
            "change": sa.BigInteger,
            "body": sa.LargeBinary,
        },
    ),
    "message_edits": (
        2,
        {"message_id": Id, "version": sa.Integer, **_ENVELOPE, "written_at": UtcDateTime, "body": sa.LargeBinary},
    ),
    "message_reactions": (
        2,
        {"message_id": Id, "user_id": Id, **_ENVELOPE, "reacted_at": UtcDateTime, "emoji": sa.LargeBinary},
    ),
}


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
        connection.execute(
            fill, [{**{f"of_{each}": row[each] for each in key}, "new": _checksum(row, columns[-1])} for row in rows]
        )
        after = [rows[-1][each] for each in key]


def _checksum(row: Any, sealed: str) -> int:
    values = dict(row)
    if not row["encryption_flag"]:
        values[sealed] = row[sealed] is not None
    return row_checksum(values)
