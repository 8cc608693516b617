"""Backups that only the owner of an age identity can read."""

import io
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # has no types
import pytest

from famichat.storage.backup.archive import BackupDamaged
from famichat.storage.backup.encryption import InvalidRecipient, WrongIdentity, check_recipient, decrypted, encrypted

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """An identity file as `age-keygen` writes it."""
    return written(tmp_path / "key.txt")


def written(path: Path) -> Path:
    made = pyrage.x25519.Identity.generate()
    path.write_text(f"# public key: {made.to_public()}\n{made}\n")
    return path


def recipient(identity: Path) -> str:
    return identity.read_text().splitlines()[0].removeprefix("# public key: ")


def encrypt(to: Path) -> bytes:
    target = io.BytesIO()
    with encrypted(target, recipient(to)) as stream:
        stream.write(CONTENT)
    return target.getvalue()


def test_only_the_identity_of_the_recipient_decrypts(identity: Path, tmp_path: Path) -> None:
    sealed = encrypt(identity)

    assert CONTENT[:64] not in sealed
    with decrypted(io.BytesIO(sealed), identity) as stream:
        assert stream.read() == CONTENT
    for wrong in (written(tmp_path / "other.txt"), tmp_path / "none.txt"):
        wrong.touch()
        with pytest.raises(WrongIdentity), decrypted(io.BytesIO(sealed), wrong) as stream:
            stream.read()


def test_a_cut_or_changed_file_is_damaged_even_if_the_reader_stops_early(identity: Path) -> None:
    sealed = encrypt(identity)
    changed = bytearray(sealed)
    changed[-100] ^= 1

    for each in (sealed[:-1], bytes(changed)):
        with pytest.raises(BackupDamaged), decrypted(io.BytesIO(each), identity) as stream:
            stream.read(10)


def test_an_error_of_the_reader_or_the_writer_is_not_hidden(identity: Path) -> None:
    with pytest.raises(KeyError), decrypted(io.BytesIO(encrypt(identity)), identity) as stream:
        raise KeyError(stream.read(1))
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(OSError, match="No space"),
        encrypted(full, recipient(identity)) as stream,
    ):
        stream.write(CONTENT)


def test_a_recipient_with_a_typing_error_is_refused(identity: Path) -> None:
    check_recipient(recipient(identity))
    for wrong in ("age1", recipient(identity)[:-1] + "b", "ssh-ed25519 AAAA"):
        with pytest.raises(InvalidRecipient):
            check_recipient(wrong)
