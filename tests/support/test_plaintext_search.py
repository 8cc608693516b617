"""The search for plaintext in a server finds planted words, in each encoding and place."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.plaintext_search import places_with

WORD, OTHER = "canary>>?3f9a1c", "canary>>?77e0b2"
IDLE = "import sys; held = bytes.fromhex(sys.stdin.readline()); print('ready', flush=True); sys.stdin.read()"
AS_CHILD = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode)"


@contextmanager
def process_with(content: bytes, *command: str) -> Iterator[int]:
    """A process with these bytes in its memory, which it does not get by its arguments or environment."""
    with subprocess.Popen(
        [sys.executable, "-c", *(command or (IDLE,))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(content.hex() + "\n")
        process.stdin.flush()
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


@pytest.fixture(scope="module")
def idle() -> Iterator[int]:
    with process_with(b"") as process_id:
        yield process_id


PLANTED = {
    "as it is": WORD.encode(),
    "UTF-16": WORD.encode("utf-16-le"),
    "UTF-16, big endian": WORD.encode("utf-16-be"),
    **{f"Base64 at offset {n}": base64.b64encode(b"b" * n + WORD.encode() + b"after") for n in range(3)},
    **{f"base64url at offset {n}": base64.urlsafe_b64encode(b"b" * n + WORD.encode() + b"after") for n in range(3)},
}


@pytest.mark.parametrize("how", PLANTED)
def test_a_word_is_found_in_a_file(tmp_path: Path, idle: int, how: str) -> None:
    file = tmp_path / "deep" / "database-wal"
    file.parent.mkdir()
    file.write_bytes(b"\x00before" + PLANTED[how] + b"after")

    assert places_with(WORD, [tmp_path], idle) == [str(file)]
    assert places_with(WORD, [file], idle) == [str(file)]
    assert places_with(OTHER, [tmp_path], idle) == []


@pytest.mark.parametrize("command", [(IDLE,), (AS_CHILD, IDLE)], ids=["process", "child"])
def test_a_word_is_found_in_the_memory_of_a_process_and_its_children(command: tuple[str, ...]) -> None:
    with process_with(PLANTED["Base64 at offset 1"], *command) as process_id:
        assert places_with(WORD, [], process_id) == ["memory"]
        assert places_with(OTHER, [], process_id) == []
