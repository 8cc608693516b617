"""Encrypted files: appending, resuming, and detection of damage or relocation."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from famichat.storage.crypto.sealed_file import PIECE_BYTES, SealedWriter, new_key, read, size_of
from famichat.storage.errors import UnsealError
from famichat.telemetry.events import DecryptionFailed, Event

KEY = new_key()
RECORD = PIECE_BYTES + 28
DATA = os.urandom(3 * PIECE_BYTES + 100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ab" / "file"


def write(path: Path, *pieces: bytes, name: str = "name", finish: bool = True) -> None:
    with SealedWriter(path, KEY, name) as writer:
        for piece in pieces:
            writer.write(piece)
        if finish:
            writer.finish()
        else:
            writer.keep()


def opened(path: Path, *span: int, name: str = "name") -> bytes:
    return b"".join(read(path, KEY, name, *span))


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, len(DATA)])
def test_written_content_is_read_back_with_its_size(path: Path, size: int) -> None:
    write(path, DATA[:size])

    assert opened(path) == DATA[:size]
    assert size_of(path) == size


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (5, 5), (10, PIECE_BYTES + 10), (PIECE_BYTES, 2 * PIECE_BYTES), (len(DATA) - 1, None)]
)
def test_any_part_can_be_read(path: Path, start: int, stop: int | None) -> None:
    write(path, DATA)

    assert b"".join(read(path, KEY, "name", start, stop)) == DATA[start:stop]


def test_nothing_can_be_read_off_the_disk_and_only_the_owner_may_look(path: Path) -> None:
    write(path, b"a secret of the family" * 1000)

    assert b"family" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("cut", [1, 1000, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])
def test_an_interrupted_upload_resumes_at_its_offset(path: Path, cut: int) -> None:
    write(path, DATA[:cut], finish=False)
    with SealedWriter(path, KEY, "name") as writer:
        assert writer.size == size_of(path) == cut
        writer.write(DATA[cut:])
        writer.finish()

    assert opened(path) == DATA


def test_a_chunk_torn_by_a_power_cut_is_written_again(path: Path) -> None:
    write(path, DATA[: 2 * PIECE_BYTES + 500], finish=False)
    os.truncate(path, 2 * RECORD + 200)

    with SealedWriter(path, KEY, "name") as writer:
        assert writer.size == 2 * PIECE_BYTES
        writer.write(DATA[writer.size :])
        writer.finish()

    assert opened(path) == DATA


def test_a_file_of_which_nothing_opens_is_begun_again(path: Path) -> None:
    write(path, DATA, name="another")

    with SealedWriter(path, KEY, "name") as writer:
        assert writer.size == 0


def test_finishing_twice_is_allowed(path: Path) -> None:
    write(path, DATA)
    write(path)

    assert opened(path) == DATA


def test_two_do_not_write_at_once(path: Path) -> None:
    with SealedWriter(path, KEY, "name"), pytest.raises(BlockingIOError):
        SealedWriter(path, KEY, "name")


def swapped(data: bytes) -> bytes:
    return data[RECORD : 2 * RECORD] + data[:RECORD] + data[2 * RECORD :]


@pytest.mark.parametrize(
    "spoil",
    [
        swapped,
        lambda data: data[: 2 * RECORD],
        lambda data: data[:-1],
        lambda data: data[:5] + bytes([data[5] ^ 1]) + data[6:],
        lambda data: data + data[-RECORD:],
    ],
    ids=["swapped", "cut between pieces", "cut", "one bit", "longer"],
)
def test_a_damaged_file_does_not_open_to_its_end(
    path: Path, spoil: Callable[[bytes], bytes], emitted: list[Event]
) -> None:
    write(path, DATA)
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(UnsealError):
        opened(path)
    assert DecryptionFailed(purpose="file") in emitted


def test_it_opens_under_its_own_name_and_key_only(path: Path) -> None:
    write(path, DATA)

    with pytest.raises(UnsealError):
        opened(path, name="another")
    with pytest.raises(UnsealError):
        list(read(path, new_key(), "name"))


def test_a_file_that_is_not_there_is_empty(path: Path) -> None:
    assert size_of(path) == 0
