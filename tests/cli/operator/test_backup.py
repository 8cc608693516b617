import hashlib
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg
import pyrage  # type: ignore[import-untyped]  # has no types
import pytest

from famichat.storage.backup import archive
from famichat.storage.data_dir import DataDir, Secrets
from tests.support.operator import Operator
from tests.support.postgres import Postgres
from tests.support.program import famichat
from tests.support.stored_file import store_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "elsewhere")


def epoch(operator: Operator) -> str:
    return famichat("sql", "SELECT epoch FROM history", data_dir=operator.data_dir).stdout.strip()


def members(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


def test_a_restored_backup_gets_a_new_history_id(at_home: Operator, elsewhere: Operator, file: Path) -> None:
    backed_up = at_home("backup", str(file))
    put_back = elsewhere("restore", str(file))

    assert backed_up["file"] == str(file)
    assert backed_up["secrets"] is True
    assert put_back["made_at"] == backed_up["made_at"]
    assert backed_up["epoch"] == epoch(at_home)
    assert put_back["epoch"] == epoch(elsewhere) != backed_up["epoch"]
    assert elsewhere("user", "list") == at_home("user", "list")
    assert DataDir(elsewhere.data_dir).secrets() == DataDir(at_home.data_dir).secrets()


def test_files_are_backed_up_and_restored_even_after_a_killed_attempt(
    at_home: Operator, elsewhere: Operator, file: Path
) -> None:
    stored = store_file(at_home)
    stray = stored.with_name(f"01a21c4e-166d-70a3-8a1b-34628bd0{stored.parent.name}00")
    stray.write_bytes(b"of nothing")
    at_home("backup", str(file))
    left = elsewhere.data_dir / "files" / stored.parent.name / stored.name
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    elsewhere("restore", str(file))

    assert f"files/{stored.parent.name}/{stored.name}" in members(file)
    assert not [name for name in members(file) if stray.name in name]
    assert left.read_bytes() == stored.read_bytes()
    assert left.stat().st_mode & 0o777 == 0o600
    assert {each["check"]: each["status"] for each in elsewhere("doctor")["checks"]}["files"] == "ok"


def test_a_file_that_is_deleted_during_a_backup_is_left_out(tmp_path: Path) -> None:
    name = "files/00/01a21c4e-166d-70a3-8a1b-34628bd00000"
    stream = io.BytesIO()

    archive.write(stream, {name: tmp_path / "gone"}, "a key")
    with pytest.raises(FileNotFoundError):
        archive.write(io.BytesIO(), {archive.MANIFEST: tmp_path / "gone"}, "a key")

    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        assert tar.getnames() == ["SHA256SUMS", "SHA256SUMS.hmac"]


def test_a_backup_is_for_its_owner_only_and_leaves_nothing_beside_it(at_home: Operator, file: Path) -> None:
    backed_up = at_home("backup", str(file))

    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in file.parent.iterdir()} == {"data", file.name}
    noted = DataDir(at_home.data_dir).last_backup()
    assert noted == datetime.fromisoformat(backed_up["made_at"])
    assert members(file) == ["manifest.json", "famichat.db", "secrets.json", "SHA256SUMS", "SHA256SUMS.hmac"]


def test_a_backup_works_while_the_server_runs_but_a_restore_does_not(
    at_home: Operator, elsewhere: Operator, file: Path
) -> None:
    with DataDir(at_home.data_dir).lock():
        at_home("backup", str(file))
    with DataDir(elsewhere.data_dir).lock():
        refused = elsewhere.refused("restore", str(file))

    assert refused == "directory_in_use"


def test_a_restore_overwrites_nothing(at_home: Operator, elsewhere: Operator, file: Path) -> None:
    at_home("backup", str(file))
    before = (at_home.data_dir / "famichat.db").read_bytes()
    elsewhere.data_dir.mkdir()
    (elsewhere.data_dir / "notes.txt").write_text("mine")

    assert at_home.refused("restore", str(file)) == "not_empty"
    assert elsewhere.refused("restore", str(file)) == "not_empty"
    assert at_home.refused("backup", str(file)) == "file_exists"
    assert (at_home.data_dir / "famichat.db").read_bytes() == before


def test_a_database_elsewhere_is_not_overwritten_either(at_home: Operator, tmp_path: Path, file: Path) -> None:
    at_home("backup", str(file))
    other = Operator(tmp_path / "other", f"sqlite:///{at_home.data_dir / 'famichat.db'}")

    assert other.refused("restore", str(file)) == "not_empty"


def test_a_damaged_backup_changes_nothing(at_home: Operator, elsewhere: Operator, file: Path) -> None:
    at_home("backup", str(file))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    assert elsewhere.refused("restore", str(file)) == "backup_damaged"
    assert [path.name for path in elsewhere.data_dir.iterdir()] == ["famichat.lock"]


def test_without_secrets_it_needs_them_from_somewhere_else(at_home: Operator, elsewhere: Operator, file: Path) -> None:
    at_home("backup", str(file), "--without-secrets")
    without = elsewhere.refused("restore", str(file))
    elsewhere.data_dir.joinpath("secrets.json").write_text(Secrets.fresh().to_json())
    with_others = elsewhere.refused("restore", str(file))
    shutil.copy(at_home.data_dir / "secrets.json", elsewhere.data_dir)
    elsewhere("restore", str(file))

    assert "secrets.json" not in members(file)
    assert (without, with_others) == ("secrets_missing", "wrong_keys")
    assert elsewhere("user", "list") == at_home("user", "list")


def test_a_backup_with_keys_that_open_nothing_is_not_made(at_home: Operator, file: Path) -> None:
    (at_home.data_dir / "secrets.json").write_text(Secrets.fresh().to_json())

    assert at_home.refused("backup", str(file)) == "wrong_keys"
    assert not file.exists()


def test_a_damaged_database_is_not_backed_up_as_if_it_were_well(at_home: Operator, file: Path) -> None:
    database = at_home.data_dir / "famichat.db"
    content = bytearray(database.read_bytes())
    pages = famichat("sql", "SELECT rootpage FROM sqlite_master WHERE name LIKE 'ix_%'", data_dir=at_home.data_dir)
    for page in map(int, pages.stdout.split()):
        content[(page - 1) * 4096 : (page - 1) * 4096 + 8] = b"\xff" * 8
    database.write_bytes(content)

    assert at_home.refused("backup", str(file)) == "backup_damaged"
    assert not file.exists()


def test_a_backup_of_a_newer_famichat_is_refused(at_home: Operator, elsewhere: Operator, file: Path) -> None:
    famichat("sql", "UPDATE alembic_version SET version_num = '9999'", data_dir=at_home.data_dir)
    at_home("backup", str(file))

    assert elsewhere.refused("restore", str(file)) == "newer_database"


def test_there_is_nothing_to_back_up_before_the_first_start(operator: Operator, file: Path) -> None:
    assert operator.refused("backup", str(file)) == "no_database"


def test_a_backup_goes_through_pipes(at_home: Operator, elsewhere: Operator) -> None:
    command = [sys.executable, "-m", "famichat"]
    taken = subprocess.run([*command, "backup", "-", "--data-dir", at_home.data_dir], capture_output=True, check=True)
    put_back = subprocess.run(
        [*command, "restore", "-", "--json", "--data-dir", elsewhere.data_dir],
        input=taken.stdout,
        capture_output=True,
        check=True,
    )

    with tarfile.open(fileobj=io.BytesIO(taken.stdout)) as tar:
        assert tar.getnames()[0] == "manifest.json"
    assert taken.stderr == b"Backed up 0 messages. It contains the keys: anyone who has the file can read it.\n"
    assert json.loads(put_back.stdout)["messages"] == 0
    assert {path.name for path in at_home.data_dir.iterdir()} <= {
        "database-id",
        "last-backup",
        "secrets.json",
        "famichat.lock",
        "famichat.db",
        "famichat.db-wal",
        "famichat.db-shm",
    }


def test_postgresql_is_backed_up_and_restored(postgres: Postgres, tmp_path: Path, file: Path) -> None:
    here = Operator(tmp_path / "here", postgres.create("backed_up"))
    there = Operator(tmp_path / "there", postgres.create("put_back"))
    on_sqlite = Operator(tmp_path / "on_sqlite")
    here("user", "add", "anna", "--email", "anna@example.org", "--password-stdin", given="a long enough one\n")
    backed_up = here("backup", str(file))
    put_back = there("restore", str(file))

    assert there("user", "list") == here("user", "list")
    assert put_back["epoch"] != backed_up["epoch"]
    assert there("migrate") == here("migrate")
    assert on_sqlite.refused("restore", str(file)) == "other_database"
    assert Operator(tmp_path / "once_more", postgres.url("put_back")).refused("restore", str(file)) == ("not_empty")


def test_a_dump_that_cannot_be_loaded_leaves_an_empty_database(postgres: Postgres, tmp_path: Path, file: Path) -> None:
    here = Operator(tmp_path / "here", postgres.create("backed_up_with_more"))
    there = tmp_path / "there"
    url = postgres.create("too_little")
    here("migrate")
    here("backup", str(file))
    postgres.sql('ALTER DATABASE "too_little" SET default_transaction_read_only = on')

    assert Operator(there, url).refused("restore", str(file)) == "program_failed"
    postgres.sql('ALTER DATABASE "too_little" RESET default_transaction_read_only')
    Operator(there, url)("restore", str(file))


def test_a_missing_pg_dump_is_reported(postgres: Postgres, tmp_path: Path, file: Path) -> None:
    url = postgres.create("without_pg_dump")
    Operator(tmp_path / "here", url)("migrate")
    result = famichat("backup", file, data_dir=tmp_path / "here", database_url=url, PATH="/nowhere")

    assert result.stderr == (
        "famichat: pg_dump is not installed. On Debian: apt-get install postgresql-client (no_program)\n"
    )


def changed(file: Path, target: Path, change: Callable[[Path], None], *, keep_tag: bool = True) -> Path:
    """Unpack a backup, change it, and pack it again with correct checksums, as an attacker can."""
    folder = target.with_suffix(".unpacked")
    with tarfile.open(file) as tar:
        names = [name for name in tar.getnames() if keep_tag or name != archive.TAG]
        tar.extractall(folder, filter="data")
    change(folder)
    sums = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in names
        if not name.startswith(archive.SUMS)
    ]
    (folder / archive.SUMS).write_text("".join(sums))
    with tarfile.open(target, "w") as tar:
        for name in names:
            tar.add(folder / name, name)
    return target


def add_an_admin(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "famichat.db")) as database, database:
        database.execute("UPDATE accounts_users SET username = 'mallory'")


def test_a_manipulated_backup_is_refused(at_home: Operator, elsewhere: Operator, file: Path, tmp_path: Path) -> None:
    at_home("backup", str(file), "--without-secrets")
    elsewhere.data_dir.mkdir()
    shutil.copy(at_home.data_dir / "secrets.json", elsewhere.data_dir)
    manipulated = changed(file, tmp_path / "manipulated.tar", add_an_admin)
    without_tag = changed(file, tmp_path / "without.tar", add_an_admin, keep_tag=False)

    for each in (manipulated, without_tag):
        assert elsewhere.refused("restore", str(each)) == "backup_not_authentic"
        assert at_home.refused("backup", "verify", str(each)) == "backup_not_authentic"
    assert {path.name for path in elsewhere.data_dir.iterdir()} == {"famichat.lock", "secrets.json"}
    assert elsewhere("restore", str(file))["authenticated"] is True


def test_a_backup_of_an_older_famichat_is_restored_on_request(
    at_home: Operator, elsewhere: Operator, file: Path, tmp_path: Path
) -> None:
    at_home("backup", str(file))
    older = changed(file, tmp_path / "older.tar", lambda _: None, keep_tag=False)

    assert elsewhere.refused("restore", str(older)) == "backup_not_authentic"
    assert elsewhere("restore", str(older), "--accept-unauthenticated")["authenticated"] is False
    assert elsewhere("user", "list") == at_home("user", "list")


def test_a_backup_that_brings_its_keys_along_does_not_count_as_authenticated(
    at_home: Operator, elsewhere: Operator, file: Path
) -> None:
    at_home("backup", str(file))

    assert elsewhere("restore", str(file))["authenticated"] is False
    assert at_home("backup", "verify", str(file))["authenticated"] is True


def test_a_good_backup_is_verified_while_the_server_runs(at_home: Operator, file: Path) -> None:
    store_file(at_home)
    at_home("backup", str(file))
    before = sorted(at_home.data_dir.iterdir())
    with DataDir(at_home.data_dir).lock():
        found = at_home("backup", "verify", str(file))

    assert (found["messages"], found["files"]) == (0, 1)
    assert found["values"] > 0
    assert found["tables"] > 20
    assert DataDir(at_home.data_dir).last_verified() is not None
    assert sorted(at_home.data_dir.iterdir()) == sorted([*before, at_home.data_dir / "last-verified-backup"])


def test_verification_finds_a_file_that_was_damaged_before_the_backup(at_home: Operator, file: Path) -> None:
    stored = store_file(at_home)
    stored.write_bytes(stored.read_bytes()[:-1])
    at_home("backup", str(file))

    assert at_home.refused("backup", "verify", str(file)) == "wrong_keys"
    assert DataDir(at_home.data_dir).last_verified() is None


def test_verification_finds_a_table_that_is_not_as_it_was(at_home: Operator, file: Path, tmp_path: Path) -> None:
    """A fault of the backup itself, because the checksums and the HMAC are right."""
    at_home("backup", str(file))
    wrong = changed(file, tmp_path / "wrong.tar", add_an_admin)
    authenticate(wrong, DataDir(at_home.data_dir).secrets().secret_key)

    assert at_home.refused("backup", "verify", str(wrong)) == "backup_damaged"


def authenticate(file: Path, secret_key: str) -> None:
    """Replace the HMAC of a backup by a valid one."""
    folder = file.with_suffix(".again")
    with tarfile.open(file) as tar:
        names = tar.getnames()
        tar.extractall(folder, filter="data")
    with file.open("wb") as stream:
        archive.write(stream, {name: folder / name for name in names if not name.startswith(archive.SUMS)}, secret_key)


def test_a_backup_of_postgresql_is_verified_in_a_scratch_database(
    postgres: Postgres, tmp_path: Path, file: Path
) -> None:
    here = Operator(tmp_path / "here", postgres.create("verified"))
    here("user", "add", "anna", "--email", "anna@example.org", "--password-stdin", given="a long enough one\n")
    here("backup", str(file))
    postgres.sql("CREATE ROLE plain LOGIN")
    plain = Operator(here.data_dir, postgres.url("verified").replace("famichat@", "plain@"))
    found = here("backup", "verify", str(file))

    assert found["tables"] > 20
    assert found["values"] > 0
    assert plain.refused("backup", "verify", str(file)) == "no_scratch_database"
    with psycopg.connect(postgres.url()) as connection:
        assert not connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'famichat_verify%'"
        ).fetchall()


def test_an_encrypted_backup_is_verified_and_restored_with_the_identity_only(
    at_home: Operator, elsewhere: Operator, file: Path, tmp_path: Path
) -> None:
    key, identity = pyrage.x25519.Identity.generate(), tmp_path / "key.txt"
    identity.write_text(f"{key}\n")
    backed_up = at_home("backup", str(file), "--encrypt-to", str(key.to_public()))

    assert backed_up["encrypted"] is True
    assert file.read_bytes().startswith(b"age-encryption.org/v1")
    assert at_home.refused("backup", "verify", str(file)) == "backup_encrypted"
    assert at_home("backup", "verify", str(file), "--identity", str(identity))["authenticated"] is True
    assert elsewhere.refused("restore", str(file)) == "backup_encrypted"
    assert elsewhere("restore", str(file), "--identity", str(identity))["messages"] == backed_up["messages"]
    assert at_home.refused("backup", str(tmp_path / "other.tar"), "--encrypt-to", "age1") == "invalid_recipient"
