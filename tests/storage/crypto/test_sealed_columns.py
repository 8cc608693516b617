"""The list of sealed columns matches the models: it covers every binary column."""

from sqlalchemy import LargeBinary

import famichat.app.server  # noqa: F401 - imports every model
from famichat.storage.base import Base
from famichat.storage.crypto.sealed_columns import sealed_columns

NOT_SEALED = {
    "accounts_passkeys.credential_id": "names a credential to the browser that has it",
    "accounts_passkeys.public_key": "public",
    "account_keys.rotation_signature": "public",
    "device_keys.certificate": "public",
    "key_packages.body": "public",
    "mls_commits.encoded": "public keys, and secrets encrypted end to end",
    "mls_groups.group_info": "public keys, and secrets encrypted end to end",
    "mls_welcomes.body": "encrypted end to end",
    "key_shares.ciphertext": "encrypted end to end",
}
"""Bytes that are neither sealed nor hashes of 32 bytes, and why."""


def test_every_column_of_bytes_is_sealed_or_says_why_not() -> None:
    found = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.type.length != 32
    }

    assert found == {str(column) for column in sealed_columns()} | set(NOT_SEALED)
