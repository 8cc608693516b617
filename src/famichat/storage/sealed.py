"""What is sealed at rest: AES-256-GCM under versioned keys, and keyed hashes to find things by.

A sealed value is `format (1 byte) | key version (2 bytes) | nonce (12 bytes) | ciphertext and tag`. Each purpose has
its own data key, derived by HKDF-SHA256 (RFC 5869) from the vault key of that version. The associated data binds a
value to its row: moved elsewhere, it does not open.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from famichat.storage.errors import UnsealError
from famichat.telemetry import emit, events

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES, _TAG_BYTES = 12, 16
_HEADER_BYTES = 3 + _NONCE_BYTES


class Vault:
    """Seals and opens values. New values use the newest key; older keys stay for what they sealed.

    Args:
        keys: vault keys of 32 bytes, by version (1 to 65535).
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()) or not all(0 < v < 2**16 for v in keys):
            raise ValueError(f"a vault needs keys of {KEY_BYTES} bytes, by versions from 1 to 65535")
        self._keys = dict(keys)
        self._newest = max(keys)
        self._ciphers: dict[tuple[int, str], AESGCM] = {}

    def seal(self, purpose: str, plaintext: bytes, bound_to: str) -> bytes:
        """Seal `plaintext` for `purpose`, openable only together with the same `bound_to` (a row's id, say)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        header = _FORMAT + self._newest.to_bytes(2) + nonce
        return header + self._cipher(self._newest, purpose).encrypt(nonce, plaintext, bound_to.encode())

    def open(self, purpose: str, sealed: bytes, bound_to: str) -> bytes:
        """Open what `seal` made.

        Raises:
            UnsealError: truncated, tampered with, moved to another row, or under a key this vault does not have. The
                failure is also emitted, as `famichat.message.decryption_failed`.
        """
        version = int.from_bytes(sealed[1:3])
        if len(sealed) < _HEADER_BYTES + _TAG_BYTES or sealed[:1] != _FORMAT or version not in self._keys:
            raise _failure(purpose)
        try:
            return self._cipher(version, purpose).decrypt(
                sealed[3:_HEADER_BYTES], sealed[_HEADER_BYTES:], bound_to.encode()
            )
        except InvalidTag:
            raise _failure(purpose) from None

    def _cipher(self, version: int, purpose: str) -> AESGCM:
        cipher = self._ciphers.get((version, purpose))
        if cipher is None:
            key = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"famichat/" + purpose.encode()).derive(self._keys[version])
            cipher = self._ciphers[version, purpose] = AESGCM(key)
        return cipher


class BlindIndex:
    """Keyed hashes: equal values are found and kept unique, and none can be read back or guessed without the key.

    Args:
        secret: the server's secret key; a new one would make everything unfindable.
    """

    def __init__(self, secret: str) -> None:
        self._key = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"famichat/blind-index").derive(secret.encode())

    def digest(self, purpose: str, *parts: str) -> bytes:
        """32 bytes that stand for `parts`, in this order, for this purpose only."""
        message = b"".join(len(part).to_bytes(4) + part for part in (p.encode() for p in (purpose, *parts)))
        return hmac.new(self._key, message, hashlib.sha256).digest()


def _failure(purpose: str) -> UnsealError:
    emit(events.DecryptionFailed(purpose=purpose))
    return UnsealError(purpose)
