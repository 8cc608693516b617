"""Adds a file to the database and the disk of a stopped server."""

import base64
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.user import User
from famichat.attachments.files import Files
from famichat.chat.conversations.create import create_self_conversation
from famichat.chat.records.attachment import Attachment, AttachmentSecrets
from famichat.storage.base import new_id, now
from famichat.storage.crypto.sealed_file import SealedWriter, new_key
from famichat.storage.crypto.vault import Vault
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from tests.support.operator import Operator

CONTENT = b"mormors recept"


def store_file(operator: Operator, database_url: str = "") -> Path:
    """Add a file of the first user; return its path."""
    attachment_id, key = new_id(), new_key()
    vault = Vault(DataDir(operator.data_dir).secrets().vault_keys)

    def work(session: Session) -> None:
        user_id = session.execute(select(User.id)).scalars().first() or ""
        session.add(
            Attachment(
                id=attachment_id,
                conversation_id=create_self_conversation(session, user_id).conversation.id,
                user_id=user_id,
                size=len(CONTENT),
                content_type="application/octet-stream",
                encrypted=False,
                keep_metadata=False,
                sealed=AttachmentSecrets(base64.b64encode(key).decode()).seal(vault, attachment_id),
                finished_at=now(),
            )
        )

    database = Database(database_url or f"sqlite:///{operator.data_dir / 'famichat.db'}")
    database.run(work)
    database.close()
    path = Files(operator.data_dir / "files").upload(attachment_id)
    with SealedWriter(path, key, attachment_id) as writer:
        writer.write(CONTENT)
        writer.finish()
    return path
