"""Opens the newest attachment files, to find out whether they are complete and the keys belong to them."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.attachments.files import Files
from famichat.chat.records.attachment import Attachment, secrets_of
from famichat.storage.crypto.sealed_file import read
from famichat.storage.crypto.vault import Vault

_SAMPLE = 20


def open_newest_files(session: Session, vault: Vault, files_dir: Path) -> int:
    """Decrypt the first piece of each of the newest files, and return their number.

    Raises:
        OSError: a file is missing or cannot be read.
        UnsealError: a file or its row is damaged, or the key is missing.
    """
    whole = select(Attachment).where(Attachment.finished_at.is_not(None))
    found = session.execute(whole.order_by(Attachment.id.desc()).limit(_SAMPLE)).scalars().all()
    for attachment in found:
        path = Files(files_dir).of(attachment)
        next(read(path, secrets_of(attachment, vault).file_key, path.name))
    return len(found)
