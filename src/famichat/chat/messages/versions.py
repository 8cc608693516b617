"""The former versions of edited messages, readable by every member who may see the message."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.messages.content import open_text
from famichat.chat.messages.page import fit, visible_message
from famichat.chat.messages.schema import EditPage, EditView
from famichat.chat.records.envelope_columns import envelope_fields
from famichat.chat.records.message import BODY_PURPOSE, body_aad
from famichat.chat.records.message_edit import MessageEdit
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.storage.base import rfc3339
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError

MAX_VERSIONS = 50


def former_versions(
    session: Session, access: Access, message_id: str, before_version: int | None = None, *, vault: Vault
) -> EditPage:
    """Return former versions of a message, oldest first, at most `MAX_VERSIONS`.

    Args:
        session: the transaction.
        access: the conversation and the member.
        message_id: the message.
        before_version: return only versions before this one; None for the last ones before the current version.
        vault: opens the bodies.

    Raises:
        NotFound: see `message_with_id`.
    """
    message = visible_message(session, access, message_id)
    backward = select(MessageEdit).where(MessageEdit.message_id == message.id).order_by(MessageEdit.version.desc())
    if before_version is not None:
        backward = backward.where(MessageEdit.version < before_version)
    found = session.execute(backward.limit(MAX_VERSIONS + 1)).scalars().all()
    fitting = found[: min(MAX_VERSIONS, fit(len(each.body) for each in found))]
    return {"edits": [edit_view(each, vault) for each in reversed(fitting)], "has_more": len(found) > len(fitting)}


def edit_view(edit: MessageEdit, vault: Vault) -> EditView:
    """Build the JSON of a former version. If it cannot be decrypted, `body` is None and `error_code` is present."""
    view: EditView = {
        "version": edit.version,
        "body": None,
        **envelope_fields(edit),  # type: ignore[typeddict-item]  # an envelope has no error_code
        "written_at": rfc3339(edit.written_at),
    }
    try:
        view["body"] = _body_of(edit, vault)
    except UnsealError:
        view["error_code"] = EncryptionErrorCode.DECRYPTION_FAILURE.value
    return view


def _body_of(edit: MessageEdit, vault: Vault) -> str:
    if not edit.is_intact:
        raise UnsealError(BODY_PURPOSE)
    bound_to = body_aad(edit.message_id, edit.version)
    return open_text(BODY_PURPOSE, edit.body, bound_to, vault, encrypted=edit.encryption_flag)
