"""Cleans pictures: a restricted worker process decodes and re-encodes them.

Image decoders are large, written in C, and process untrusted input. They run in a separate process with limits on
memory and time, without files, network (`sandbox`) and the server's keys. Its output comes from an encoder, or contains
only the parts of the original that a decoder needs, so hidden data in the original (location, time, a second file
appended to the first) is gone.

    picture = clean([data], "image/jpeg", into=file.write)
"""

import base64
import json
import os
import subprocess  # nosec B404 - starts our own worker, see clean
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast

from famichat.attachments.content_type import PICTURES
from famichat.telemetry import emit, events

MAX_PIXELS = 200_000_000
"""As many as phones take. Formats that cannot be decoded at a reduced size have a lower limit, see the worker."""
THUMBNAIL_EDGE = 640
TIMEOUT_SECONDS = 30.0
MAX_WORKERS = 2
"""How many workers run at the same time, in all. Each uses at most 1 GiB of memory."""
_CHUNK = 64 * 1024
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
_slots = threading.BoundedSemaphore(MAX_WORKERS)
_reported = threading.Event()
_COMMAND = (sys.executable, "-I", "-m", "famichat.attachments.picture_worker")


class PictureRefused(Exception):
    """The picture cannot be cleaned; `too_many_pixels` tells whether only its size is the reason."""

    def __init__(self, *, too_many_pixels: bool = False) -> None:
        super().__init__("too many pixels" if too_many_pixels else "unreadable")
        self.too_many_pixels = too_many_pixels


@dataclass(frozen=True, slots=True)
class Picture:
    """Dimensions of an upright picture in pixels, and its thumbnail as WebP."""

    width: int
    height: int
    thumbnail: bytes


def clean(
    source: Iterable[bytes],
    content_type: str,
    *,
    into: Callable[[bytes], object] | None,
    edge: int = THUMBNAIL_EDGE,
) -> Picture:
    """Clean a picture and create its thumbnail. Takes about a second; call it in a thread.

    Args:
        source: the bytes of the picture.
        content_type: its type, one of `PICTURES`.
        into: receives the cleaned picture piece by piece: the same type if that is in `SHOWN`, otherwise JPEG, or WebP
            if it is animated or transparent. None keeps the original and creates only the thumbnail.
        edge: maximum width and height of the thumbnail in pixels.

    Raises:
        PictureRefused: it has too many pixels, is damaged, or is not a picture.
    """
    arguments = (PICTURES[content_type], str(MAX_PIXELS), str(edge), "keep" if into is None else "clean")
    with _worker(arguments) as (standard_input, standard_output):
        _feed(standard_input, source)
        header = _header(standard_output.readline())
        for piece in _pieces(standard_output, header["picture"]):
            if into is not None:
                into(piece)
        return Picture(header["width"], header["height"], b"".join(_pieces(standard_output, header["thumbnail"])))


def make_avatar(source: Iterable[bytes], content_type: str, edge: int) -> bytes:
    """Return the centre square of a picture, cleaned, at most `edge` pixels wide, as WebP. Call it in a thread.

    Raises:
        PictureRefused: it has too many pixels, is damaged, or is not a picture.
    """
    with _worker((PICTURES[content_type], str(MAX_PIXELS), str(edge), "square")) as (standard_input, standard_output):
        _feed(standard_input, source)
        header = _header(standard_output.readline())
        return b"".join(_pieces(standard_output, header["thumbnail"]))


def is_confined() -> bool:
    """Return whether workers are confined on this machine. Starts one with a picture of one pixel."""
    with _worker(("PNG", "1", "1", "keep")) as (standard_input, standard_output):
        _feed(standard_input, [_PIXEL])
        return bool(_header(standard_output.readline())["sandboxed"])


@contextmanager
def _worker(arguments: tuple[str, ...]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    with _slots:
        yield from _started(arguments)


def _started(arguments: tuple[str, ...]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    process = subprocess.Popen(  # noqa: S603 - no shell reads it  # nosec B603
        (*_COMMAND, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    timeout = threading.Timer(TIMEOUT_SECONDS, process.kill)
    timeout.start()
    try:
        yield cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    finally:
        timeout.cancel()
        process.kill()
        process.stdout.close()  # type: ignore[union-attr]  # it is a pipe, see above
        process.wait()


def _feed(standard_input: IO[bytes], source: Iterable[bytes]) -> None:
    try:
        for piece in source:
            standard_input.write(piece)
        standard_input.close()
    except BrokenPipeError:
        return  # the worker has stopped reading; its output tells why, or it has crashed


def _header(line: bytes) -> dict[str, int]:
    if not line.endswith(b"\n"):
        raise PictureRefused
    header: dict[str, int] = json.loads(line)
    if "too_many_pixels" in header:
        raise PictureRefused(too_many_pixels=True)
    if not header["sandboxed"] and not _reported.is_set():
        _reported.set()
        emit(events.PictureWorkerNotConfined())
    return header


def _pieces(standard_output: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        piece = standard_output.read(min(size, _CHUNK))
        if not piece:
            raise PictureRefused
        size -= len(piece)
        yield piece
