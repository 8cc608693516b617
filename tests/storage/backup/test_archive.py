import dataclasses
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from famichat.storage.backup import archive
from famichat.storage.backup.archive import BackupDamaged, BackupNotAuthentic, Manifest
from famichat.storage.table_digest import TableDigest

KEY = "the secret key of a server"
TABLES = {"messages": TableDigest(3, "b" * 64)}
MANIFEST = Manifest("2026-11-23T05:30:12Z", "sqlite", "0001", "an-epoch", 3, {"1": "proof"}, TABLES)


@pytest.fixture
def written(tmp_path: Path) -> bytes:
    """A backup whose database is no database: this layer does not look into it."""
    files = {archive.MANIFEST: tmp_path / "m", "famichat.db": tmp_path / "d", archive.SECRETS: tmp_path / "s"}
    for path, content in zip(files.values(), (MANIFEST.to_json(), "pages" * 300, "keys"), strict=True):
        path.write_text(content)
    stream = io.BytesIO()
    archive.write(stream, files, KEY)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "unpacked").mkdir()
    return tmp_path / "unpacked"


def test_written_content_is_read_back_with_owner_only_permissions(written: bytes, folder: Path) -> None:
    assert archive.read(io.BytesIO(written), folder) == MANIFEST
    assert (folder / "famichat.db").read_text() == "pages" * 300
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} <= {0o600}


def test_the_sums_can_be_checked_without_famichat(written: bytes, folder: Path) -> None:
    archive.read(io.BytesIO(written), folder)

    subprocess.run(["sha256sum", "--check", "--strict", archive.SUMS], cwd=folder, check=True, capture_output=True)


def test_a_changed_byte_of_any_content_is_noticed(written: bytes, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(written)) as tar:
        places = [member.offset_data + member.size // 2 for member in tar]

    for number, place in enumerate(places):
        (tmp_path / str(number)).mkdir()
        changed = bytes([*written[:place], written[place] ^ 1, *written[place + 1 :]])
        with pytest.raises((BackupDamaged, BackupNotAuthentic)):
            read_authentic(changed, tmp_path / str(number))
    assert len(places) == 5


def test_a_backup_that_is_cut_off_anywhere_is_refused(written: bytes, tmp_path: Path) -> None:
    end_of_the_last = written.rindex(b"  secrets.json\n")
    for length in range(0, end_of_the_last, 509):
        (tmp_path / str(length)).mkdir()
        with pytest.raises(BackupDamaged):
            archive.read(io.BytesIO(written[:length]), tmp_path / str(length))


def read_authentic(backup: bytes, folder: Path) -> None:
    archive.read(io.BytesIO(backup), folder)
    archive.check_authentic(folder, KEY)


def test_only_the_key_of_the_server_authenticates_its_backup(written: bytes, folder: Path) -> None:
    archive.read(io.BytesIO(written), folder)

    archive.check_authentic(folder, KEY)
    with pytest.raises(BackupNotAuthentic):
        archive.check_authentic(folder, f"{KEY}s")


def test_a_manipulated_backup_with_correct_checksums_is_not_authentic(folder: Path) -> None:
    """Anyone can compute SHA256SUMS, or leave the HMAC out."""
    archive.read(of(**{archive.MANIFEST: MANIFEST.to_json(), "famichat.db": "other pages"}), folder)

    with pytest.raises(BackupNotAuthentic):
        archive.check_authentic(folder, KEY)


def test_the_manifest_of_an_older_famichat_is_readable() -> None:
    text = MANIFEST.to_json().replace('"format": 2', '"format": 1')
    older = json.dumps({name: value for name, value in json.loads(text).items() if name != "tables"})

    assert Manifest.from_json(older) == dataclasses.replace(MANIFEST, tables={})


def of(**contents: str) -> io.BytesIO:
    """A tar with these files, and right sums."""
    sums = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in contents.items())
    stream = io.BytesIO()
    with tarfile.open(mode="w", fileobj=stream) as tar:
        for name, text in {**contents, archive.SUMS: sums}.items():
            header = tarfile.TarInfo(name)
            header.size = len(text.encode())
            tar.addfile(header, io.BytesIO(text.encode()))
    stream.seek(0)
    return stream


def strangers() -> Iterator[tuple[str, io.BytesIO]]:
    good = {archive.MANIFEST: MANIFEST.to_json(), "famichat.db": "pages"}
    yield "an unexpected file", of(**good, **{"../famichat.db": "elsewhere"})
    yield "an unexpected file", of(**good, **{"notes.txt": "x"})
    yield "the database is missing", of(**{archive.MANIFEST: MANIFEST.to_json()})
    yield "the database is missing", of(**{"famichat.db": "pages"})
    yield "unknown format", of(**good | {archive.MANIFEST: MANIFEST.to_json().replace('"format": 2', '"format": 3')})
    yield "the manifest", of(**good | {archive.MANIFEST: "[]"})
    yield "the manifest", of(**good | {archive.MANIFEST: '{"format": 1, "database": "sqlite"}'})
    yield "not a tar file", io.BytesIO(b"not a tar" * 200)


@pytest.mark.parametrize(("sent", "stream"), [*strangers()], ids=lambda value: value if isinstance(value, str) else "")
def test_a_file_that_is_no_famichat_backup_is_refused(sent: str, stream: io.BytesIO, folder: Path) -> None:
    with pytest.raises(BackupDamaged, match=sent):
        archive.read(stream, folder)


def test_a_link_is_not_followed(folder: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(mode="w", fileobj=stream) as tar:
        link = tarfile.TarInfo("famichat.db")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)

    with pytest.raises(BackupDamaged):
        archive.read(io.BytesIO(stream.getvalue()), folder)
