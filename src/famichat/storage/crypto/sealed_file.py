"""A file that is sealed at rest, piece by piece, so that it can grow, be cut off anywhere, and be read from the middle.

    with SealedWriter(path, key, name) as writer:
        writer.write(b"...")
        writer.finish()
    b"".join(read(path, key, name))

On the disk a piece of 64 KiB is `nonce (12 bytes) | ciphertext and tag`, AES-256-GCM under the file's own random key.
Each is bound to the file's name, to its place, and to whether it is the last: pieces that were swapped, taken from
another file, or cut away do not open. A nonce is random, because the last piece is written anew when the file grows.
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
    """A key for one file."""
    return AESGCM.generate_key(256)


def size_of(path: Path) -> int:
    """How many bytes are in a file, opened; 0 if there is no file."""
    try:
        whole, rest = divmod(path.stat().st_size, _STRIDE)
    except FileNotFoundError:
        return 0
    return whole * PIECE_BYTES + max(0, rest - _OVERHEAD)


class SealedWriter:
    """Adds to a file, alone. What was half written when the last one ended is cut off first.

    Args:
        path: the file. It is made if it is not there, for its owner only.
        key: its key.
        name: what it is bound to.

    Raises:
        BlockingIOError: another one is writing.
        OSError: there is no room, or no permission.
    """

    def __init__(self, path: Path, key: bytes, name: str) -> None:
        self._cipher, self._name = AESGCM(key), name
        path.parent.mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE), "r+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._number, self._tail = self._found()
        except OSError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """How many bytes are in the file by now."""
        return self._number * PIECE_BYTES + len(self._tail)

    def write(self, data: bytes) -> None:
        """Add some bytes. They are in the file when enough of them have come, or after `keep`."""
        self._tail += data
        while len(self._tail) > PIECE_BYTES:  # the last piece stays, because nobody knows yet that it is the last
            self._put(self._tail[:PIECE_BYTES], last=False)
            self._number += 1
            self._tail = self._tail[PIECE_BYTES:]

    def keep(self) -> None:
        """Let everything that was written be in the file, to be continued later."""
        if self._tail:
            self._put(self._tail, last=False)

    def finish(self) -> None:
        """Say that this is all, and have it on disk."""
        self._put(self._tail, last=True)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let others write."""
        self._file.close()

    def _put(self, piece: bytes, *, last: bool) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, piece, _bound_to(self._name, self._number, last=last))
        start = self._number * _STRIDE
        os.ftruncate(self._file.fileno(), start)
        if os.pwrite(self._file.fileno(), sealed, start) != len(sealed):
            raise OSError("the disk took only a part of it")

    def _found(self) -> tuple[int, bytes]:
        """The number and the contents of the last piece that can be continued."""
        count = -(-os.fstat(self._file.fileno()).st_size // _STRIDE)
        for number in (count - 1, count - 2):
            if number < 0:
                return 0, b""
            sealed = os.pread(self._file.fileno(), _STRIDE, number * _STRIDE)
            for last in (False, True):  # it may have been finished, and never been heard of
                try:
                    return number, _opened(self._cipher, sealed, _bound_to(self._name, number, last=last))
                except InvalidTag:
                    continue
        return 0, b""


def read(path: Path, key: bytes, name: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes of a finished file from `start` to before `stop`, piece by piece.

    Raises:
        UnsealError: it was damaged, cut off, or is another file. What was given out before was right.
        OSError: it cannot be read.
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
