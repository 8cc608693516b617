"""Files encrypted at rest in pieces, so that they can be appended to, truncated anywhere and read at any offset.

    with SealedWriter(path, key, name) as writer:
        writer.write(b"...")
        writer.finish()
    b"".join(read(path, key, name))

On disk, a piece of 64 KiB is `nonce (12 bytes) | ciphertext and tag`, AES-256-GCM under the file's own random key. The
associated data is the file's name, the piece's index and whether it is the last: pieces that were swapped, copied from
another file, or cut off fail to decrypt. The nonce is random, because the last piece is rewritten when the file grows.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from famichat.storage.errors import UnsealError
from famichat.telemetry import emit, events

PIECE_BYTES = 64 * 1024
_NONCE_BYTES, _TAG_BYTES = 12, 16
_OVERHEAD = _NONCE_BYTES + _TAG_BYTES
_STRIDE = PIECE_BYTES + _OVERHEAD
_PRIVATE_DIR, _PRIVATE_FILE = 0o700, 0o600
_PURPOSE = "file"


def new_key() -> bytes:
    """Generate a key for one file."""
    return AESGCM.generate_key(256)


def size_of(path: Path) -> int:
    """Return the plaintext size of a file in bytes; 0 if it does not exist."""
    try:
        whole, rest = divmod(path.stat().st_size, _STRIDE)
    except FileNotFoundError:
        return 0
    return whole * PIECE_BYTES + max(0, rest - _OVERHEAD)


class SealedWriter:
    """Appends to a file under an exclusive lock. A half-written piece at its end is truncated first.

    Args:
        path: the file. It is created if missing, accessible to its owner only.
        key: the file's key, 32 bytes.
        name: the name that its pieces are bound to.

    Raises:
        BlockingIOError: another writer holds the lock.
        OSError: the disk is full, or permission is missing.
    """

    def __init__(self, path: Path, key: bytes, name: str) -> None:
        self._cipher, self._name = AESGCM(key), name
        path.parent.mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE), "r+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._number, self._tail = self._read_end()
        except OSError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Number of plaintext bytes written so far."""
        return self._number * PIECE_BYTES + len(self._tail)

    def write(self, data: bytes) -> None:
        """Append bytes. They reach the file once they fill a piece, or with `keep`."""
        self._tail += data
        while len(self._tail) > PIECE_BYTES:  # hold the final piece back: it is sealed differently
            self._write_piece(self._tail[:PIECE_BYTES], last=False)
            self._number += 1
            self._tail = self._tail[PIECE_BYTES:]

    def keep(self) -> None:
        """Write buffered bytes to the file, so that a later writer can continue."""
        if self._tail:
            self._write_piece(self._tail, last=False)

    def finish(self) -> None:
        """Write the last piece, marked as such, and sync the file to disk."""
        self._write_piece(self._tail, last=True)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Release the lock."""
        self._file.close()

    def _write_piece(self, piece: bytes, *, last: bool) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, piece, _bound_to(self._name, self._number, last=last))
        start = self._number * _STRIDE
        os.ftruncate(self._file.fileno(), start)
        if os.pwrite(self._file.fileno(), sealed, start) != len(sealed):
            raise OSError("short write: the disk took only part of the piece")

    def _read_end(self) -> tuple[int, bytes]:
        """Return the index and the plaintext of the last intact piece."""
        count = -(-os.fstat(self._file.fileno()).st_size // _STRIDE)
        for number in (count - 1, count - 2):
            if number < 0:
                return 0, b""
            sealed = os.pread(self._file.fileno(), _STRIDE, number * _STRIDE)
            for last in (False, True):  # it may have been finished just before a crash
                try:
                    return number, _opened(self._cipher, sealed, _bound_to(self._name, number, last=last))
                except InvalidTag:
                    continue
        return 0, b""


def read(path: Path, key: bytes, name: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of a finished file from `start` up to `stop`, piece by piece.

    Raises:
        UnsealError: a piece was modified, truncated or swapped. Everything yielded before is authentic.
        OSError: the file cannot be read.
    """
    cipher = AESGCM(key)
    with path.open("rb") as file:
        count = -(-os.fstat(file.fileno()).st_size // _STRIDE)
        stop = size_of(path) if stop is None else stop
        for number in range(start // PIECE_BYTES, min(count, -(-stop // PIECE_BYTES))):
            sealed = os.pread(file.fileno(), _STRIDE, number * _STRIDE)
            try:
                piece = _opened(cipher, sealed, _bound_to(name, number, last=number == count - 1))
            except InvalidTag:
                emit(events.DecryptionFailed(purpose=_PURPOSE))
                raise UnsealError(_PURPOSE) from None
            begins = number * PIECE_BYTES
            yield piece[max(0, start - begins) : stop - begins]


def _opened(cipher: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    if len(sealed) < _OVERHEAD:
        raise InvalidTag
    return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)


def _bound_to(name: str, number: int, *, last: bool) -> bytes:
    return name.encode() + number.to_bytes(8) + bytes([last])
