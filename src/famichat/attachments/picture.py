"""A picture, made harmless: decoded and written anew by a process that may do nothing else.

Decoders of pictures are large and written in C, and what they are given comes from strangers. So they run in a process
of their own, with little memory and time, no file to write to, and none of our keys. What it answers was written by an
encoder: whatever was hidden in the original (where and when it was taken, a second file behind the first) is gone.

    picture = clean([data], "image/jpeg", into=file.write)
"""

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

MAX_PIXELS = 50_000_000
"""More than any phone takes; decoded, that is 200 MB, in the worker."""
THUMBNAIL_EDGE = 640
TIMEOUT_SECONDS = 30.0
_CHUNK = 64 * 1024
_COMMAND = (sys.executable, "-I", "-m", "famichat.attachments.picture_worker")


class PictureRefused(Exception):
    """This is no picture that can be made harmless; `too_many_pixels` says that it is only too large."""

    def __init__(self, *, too_many_pixels: bool = False) -> None:
        super().__init__("too many pixels" if too_many_pixels else "unreadable")
        self.too_many_pixels = too_many_pixels


@dataclass(frozen=True, slots=True)
class Picture:
    """What there is to know of a picture, the right way up; and a small one of it, as WebP."""

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
    """Make a picture harmless. Takes a second or so; call it in a thread.

    Args:
        source: the picture.
        content_type: what it is, one of `PICTURES`.
        into: takes the new one, piece by piece: of the same type where that is in `SHOWN`, else a JPEG, or a WebP if
            it moves or something shines through; None leaves the original as it is.
        edge: how wide and high the small one may be.

    Raises:
        PictureRefused: it has too many pixels, is damaged, or is none.
    """
    arguments = (PICTURES[content_type], str(MAX_PIXELS), str(edge), "keep" if into is None else "clean")
    with _worker(arguments) as (standard_input, standard_output):
        _feed(standard_input, source)
        told = _told(standard_output.readline())
        for piece in _pieces(standard_output, told["picture"]):
            if into is not None:
                into(piece)
        return Picture(told["width"], told["height"], b"".join(_pieces(standard_output, told["thumbnail"])))


def make_avatar(source: Iterable[bytes], content_type: str, edge: int) -> bytes:
    """The middle of a picture, square and harmless, at most so wide and high, as WebP. Call it in a thread.

    Raises:
        PictureRefused: it has too many pixels, is damaged, or is none.
    """
    with _worker((PICTURES[content_type], str(MAX_PIXELS), str(edge), "square")) as (standard_input, standard_output):
        _feed(standard_input, source)
        told = _told(standard_output.readline())
        return b"".join(_pieces(standard_output, told["thumbnail"]))


@contextmanager
def _worker(arguments: tuple[str, ...]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    process = subprocess.Popen(  # noqa: S603 - no shell reads it  # nosec B603
        (*_COMMAND, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    watch = threading.Timer(TIMEOUT_SECONDS, process.kill)
    watch.start()
    try:
        yield cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    finally:
        watch.cancel()
        process.kill()
        process.stdout.close()  # type: ignore[union-attr]  # it is a pipe, see above
        process.wait()


def _feed(standard_input: IO[bytes], source: Iterable[bytes]) -> None:
    try:
        for piece in source:
            standard_input.write(piece)
        standard_input.close()
    except BrokenPipeError:
        return  # it has seen enough, and says why; or it is dead, and says nothing


def _told(line: bytes) -> dict[str, int]:
    if not line.endswith(b"\n"):
        raise PictureRefused
    told: dict[str, int] = json.loads(line)
    if "too_many_pixels" in told:
        raise PictureRefused(too_many_pixels=True)
    return told


def _pieces(standard_output: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        piece = standard_output.read(min(size, _CHUNK))
        if not piece:
            raise PictureRefused
        size -= len(piece)
        yield piece
