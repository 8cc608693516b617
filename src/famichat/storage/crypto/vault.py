"""Encryption at rest: AES-256-GCM under versioned keys, and keyed hashes for lookups.

A sealed value is `format (1 byte) | key version (2 bytes) | nonce (12 bytes) | ciphertext and tag`. Each purpose has
its own data key, derived by HKDF-SHA256 (RFC 5869) from the vault key of that version. The associated data (AAD,
RFC 5116) binds a value to its row: copied elsewhere, it fails to decrypt.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from famichat.storage.errors import StorageError, UnsealCause, UnsealError
from famichat.telemetry import emit, events

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES, _TAG_BYTES = 12, 16
_HEADER_BYTES = 3 + _NONCE_BYTES


class Vault:
    """Seals and opens values. One key encrypts new values; the others remain for decryption.

    Keys can be added from any thread while the vault is in use.

    Args:
        keys: vault keys of 32 bytes, by version (1 to 65535).
        more: returns all current keys; called when a value needs an unknown key, because another process may have
            switched to a new one a moment ago.
    """

    def __init__(self, keys: Mapping[int, bytes], more: Callable[[], Mapping[int, bytes]] | None = None) -> None:
        self._keys: dict[int, bytes] = {}
        self._ciphers: dict[tuple[int, str], AESGCM] = {}
        self._retired: set[int] = set()
        self._more = more
        self.learn(keys)
        self.sealing_version = max(keys)

    @property
    def keys(self) -> Mapping[int, bytes]:
        """The known keys, by version."""
        return self._keys

    def learn(self, keys: Mapping[int, bytes]) -> None:
        """Add keys for decryption. Known versions keep their keys, and retired ones are ignored.

        Raises:
            ValueError: a key has the wrong length, or a version is out of range.
        """
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()) or not all(0 < v < 2**16 for v in keys):
            raise ValueError(f"a vault needs keys of {KEY_BYTES} bytes, by versions from 1 to 65535")
        self._keys = {version: key for version, key in {**keys, **self._keys}.items() if version not in self._retired}

    def retire(self, version: int) -> None:
        """Forget a key that encrypts no stored value. Not the current one: `seal` would then fail."""
        self._retired.add(version)
        self._keys = {each: key for each, key in self._keys.items() if each != version}
        # A copy, because other threads may add to it meanwhile.
        self._ciphers = {each: cipher for each, cipher in self._ciphers.copy().items() if each[0] != version}

    def seal_with(self, version: int) -> None:
        """Encrypt new values with the key of this version.

        Raises:
            KeyError: the version is unknown.
        """
        self._keys[version]
        self.sealing_version = version

    def seal(self, purpose: str, plaintext: bytes, bound_to: str) -> bytes:
        """Encrypt `plaintext` for `purpose`; `open` needs the same associated data `bound_to`, such as the row's id."""
        nonce, version = secrets.token_bytes(_NONCE_BYTES), self.sealing_version
        return header_of(version) + nonce + self._cipher(version, purpose).encrypt(nonce, plaintext, bound_to.encode())

    def open(self, purpose: str, sealed: bytes, bound_to: str) -> bytes:
        """Decrypt a value that `seal` produced.

        Raises:
            UnsealError: the value is malformed, modified, copied from another row, of an unknown format, or needs an
                unknown key. The failure is also emitted as `famichat.message.decryption_failed`.
        """
        if len(sealed) < _HEADER_BYTES + _TAG_BYTES:
            raise _failure(purpose, "malformed")
        if sealed[:1] != _FORMAT:
            raise _failure(purpose, "unknown_version")
        version = int.from_bytes(sealed[1:3])
        if version not in self._keys and not self._learns_of(version):
            raise _failure(purpose, "unknown_key")
        nonce, inside = sealed[3:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        try:
            return self._cipher(version, purpose).decrypt(nonce, inside, bound_to.encode())
        except InvalidTag:
            raise _failure(purpose, "not_authentic") from None

    def _learns_of(self, version: int) -> bool:
        if self._more is not None:
            try:
                self.learn(self._more())
            except (StorageError, OSError) as error:
                emit(events.VaultNotKept(error_type=type(error).__name__))
        return version in self._keys

    def _cipher(self, version: int, purpose: str) -> AESGCM:
        cipher = self._ciphers.get((version, purpose))
        if cipher is None:
            key = _derived(self._keys[version], purpose)
            cipher = self._ciphers[version, purpose] = AESGCM(key)
        return cipher


def header_of(version: int) -> bytes:
    """Return the header of every value sealed with this key version."""
    return _FORMAT + version.to_bytes(2)


def check_value(key: bytes) -> bytes:
    """Return a 32-byte fingerprint that identifies a key without revealing it."""
    return _derived(key, "check-value")


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"famichat/" + purpose.encode()).derive(key)


class BlindIndex:
    """Keyed hashes (HMAC-SHA256), for lookups and uniqueness. Without the key they cannot be reversed or guessed.

    Args:
        secret: the server's secret key. Changing it makes all existing hashes useless.
    """

    def __init__(self, secret: str) -> None:
        key = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"famichat/blind-index").derive(secret.encode())
        self._keyed = hmac.new(key, digestmod="sha256")  # a copy is made for each value: keying takes half of the time

    def digest(self, purpose: str, *parts: str) -> bytes:
        """Return the 32-byte hash of `parts`, in this order, for this purpose."""
        encoded = [part.encode() for part in (purpose, *parts)]
        mac = self._keyed.copy()
        mac.update(b"".join([len(part).to_bytes(4) + part for part in encoded]))
        return mac.digest()


def _failure(purpose: str, cause: UnsealCause) -> UnsealError:
    emit(events.DecryptionFailed(purpose=purpose, cause=cause))
    return UnsealError(purpose, cause)
