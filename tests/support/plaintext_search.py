"""Searches everything that a server has for words: its files, its log and its memory."""

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_READABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


def places_with(word: str, files: Iterable[Path], process_id: int) -> list[str]:
    """Return where a word is, as it is, in UTF-16 or in Base64: files, and `memory`.

    Args:
        word: at least 8 ASCII characters, so that its Base64 is not found by chance.
        files: files, and directories with all files in them.
        process_id: the server's process, of the same user; its child processes are searched, too.
    """
    encodings = set(_encodings(word))
    found = [str(path) for path in _files(files) if _contains(path.read_bytes(), encodings)]
    if any(_contains(region, encodings) for each in _with_children(process_id) for region in _memory(each)):
        found.append("memory")
    return found


def _encodings(word: str) -> Iterator[bytes]:
    plain = word.encode()
    yield plain
    yield word.encode("utf-16-le")
    yield word.encode("utf-16-be")
    # Base64 encodes three bytes together, so a word looks different at each of three offsets. The first and the last
    # characters depend on the bytes around it.
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(offset) + plain)
            yield whole[4 if offset else 0 : -4]


def _contains(content: bytes, encodings: Iterable[bytes]) -> bool:
    return any(encoding in content for encoding in encodings)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from (each for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file())


def _with_children(process_id: int) -> Iterator[int]:
    yield process_id
    for children in Path("/proc", str(process_id), "task").glob("*/children"):
        for child in children.read_text().split():
            yield from _with_children(int(child))


def _memory(process_id: int) -> Iterator[bytes]:
    """Yield the readable regions of a process. Those of the kernel, and those that have just gone, cannot be read."""
    process = Path("/proc", str(process_id))
    regions = process.joinpath("maps").read_text().splitlines()
    with process.joinpath("mem").open("rb") as memory:  # buffered: it reads on after a partial read
        for start, end in (match.groups() for match in map(_READABLE.match, regions) if match):
            try:
                memory.seek(int(start, 16))
                yield memory.read(int(end, 16) - int(start, 16))
            except (OSError, OverflowError, ValueError):
                continue
