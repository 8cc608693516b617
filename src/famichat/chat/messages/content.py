"""What people wrote, as it is kept: sealed by the server, or their own ciphertext as it came."""

from famichat.e2ee.envelope import Envelope
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError
from famichat.telemetry import emit, events


def seal_text(purpose: str, text: str, envelope: Envelope, place: str, vault: Vault) -> bytes:
    """A text as it goes to the database; sealed, unless it is encrypted end to end already.

    Args:
        purpose: what kind of text it is.
        text: what somebody wrote.
        envelope: how that person says it is encrypted.
        place: what it is bound to; put anywhere else, it does not open.
        vault: seals it.
    """
    return text.encode() if envelope.encryption_flag else vault.seal(purpose, text.encode(), place)


def open_text(purpose: str, content: bytes, place: str, vault: Vault, *, encrypted: bool) -> str:
    """The text that `seal_text` was given, to be shown to those who may see it.

    Raises:
        UnsealError: it is not what was put there, or no text; that is emitted as well.
    """
    if not encrypted:
        return vault.open(purpose, content, place).decode()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        emit(events.DecryptionFailed(purpose=purpose))
        raise UnsealError(purpose) from error


def storable(text: str) -> bool:
    """Whether both databases keep it: no U+0000, which PostgreSQL refuses, and no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
