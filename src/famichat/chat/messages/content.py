"""Stored text: sealed by the vault, or the client's end-to-end ciphertext unchanged."""

from famichat.e2ee.envelope import Envelope
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError
from famichat.telemetry import emit, events


def seal_text(purpose: str, text: str, envelope: Envelope, aad: str, vault: Vault) -> bytes:
    """Return the stored form of a text: sealed, unless it is already encrypted end to end.

    Args:
        purpose: the vault purpose, which separates kinds of text.
        text: the plaintext, or the client's ciphertext.
        envelope: the encryption metadata of the text.
        aad: the associated data (RFC 5116) that binds the text to its row: the value cannot be opened in another one.
        vault: seals the text.
    """
    return text.encode() if envelope.encryption_flag else vault.seal(purpose, text.encode(), aad)


def open_text(purpose: str, content: bytes, aad: str, vault: Vault, *, encrypted: bool) -> str:
    """Return the text that `seal_text` was given. The inverse of `seal_text`.

    Args:
        purpose: the vault purpose.
        content: the stored form.
        aad: the associated data with which it was sealed.
        vault: opens the text.
        encrypted: whether the content is end-to-end ciphertext, which is returned as it is.

    Raises:
        UnsealError: the content is damaged, was copied from another row, or is not UTF-8; telemetry is informed.
    """
    if not encrypted:
        return vault.open(purpose, content, aad).decode()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        emit(events.DecryptionFailed(purpose=purpose))
        raise UnsealError(purpose) from error


def storable(text: str) -> bool:
    """Return whether both databases can store a text: it has no U+0000, which PostgreSQL refuses, or lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
