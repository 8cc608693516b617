import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from famichat.storage.data_dir import DataDir
from famichat.storage.revision import newest
from tests.support.operator import Operator
from tests.support.postgres import Postgres
from tests.support.program import famichat
from tests.support.warm import ROOT


def test_a_migration_creates_missing_tables_and_can_be_repeated(operator: Operator) -> None:
    assert operator("migrate") == operator("migrate") == {"revision": newest()}
    assert (operator.data_dir / "famichat.db").is_file()


def test_nothing_is_migrated_under_a_running_server(operator: Operator) -> None:
    with DataDir(operator.data_dir).lock():
        assert operator.refused("migrate") == "directory_in_use"


def test_a_database_that_the_running_server_has_migrated_needs_no_migration(at_home: Operator) -> None:
    with DataDir(at_home.data_dir).lock():
        assert at_home("migrate") == {"revision": newest()}
        assert at_home.refused("migrate", "--make", "a change") == "directory_in_use"


def test_a_database_of_a_newer_famichat_is_left_alone(at_home: Operator) -> None:
    famichat("sql", "UPDATE alembic_version SET version_num = '9999'", data_dir=at_home.data_dir)

    assert at_home.refused("migrate") == "newer_database"


def test_a_missing_database_is_reported(operator: Operator) -> None:
    assert operator.refused("user", "list") == "no_database"
    assert operator.refused("sql", "SELECT 1") == "no_database"


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs sqlite3")
def test_the_databases_own_shell_writes_only_while_no_server_runs(at_home: Operator) -> None:
    rename = "UPDATE families SET name = 'Strand' RETURNING name"
    with DataDir(at_home.data_dir).lock():
        while_it_runs = famichat("sql", rename, data_dir=at_home.data_dir)
        reading = famichat("sql", "SELECT name FROM families", data_dir=at_home.data_dir)
    afterwards = famichat("sql", rename, data_dir=at_home.data_dir)

    assert while_it_runs.returncode == 1
    assert while_it_runs.stderr.startswith("Famichat is running, so this is read-only.\n")
    assert reading.stdout == "Berg\n"
    assert afterwards.stdout == "Strand\n"


@pytest.mark.skipif(shutil.which("psql") is None, reason="needs psql")
def test_on_postgresql_it_is_psql(postgres: Postgres, migrated_postgres: str, tmp_path: Path) -> None:
    url = postgres.url(migrated_postgres).replace("famichat@", "famichat:a-password@")
    query = famichat("sql", "SELECT count(*) AS here FROM families", database_url=url, data_dir=tmp_path)

    assert query.stdout.split()[:3] == ["here", "------", "0"]


def test_a_shell_that_is_not_installed_is_reported(at_home: Operator) -> None:
    missing = famichat("sql", data_dir=at_home.data_dir, PATH="/nowhere")

    assert missing.stderr == "famichat: sqlite3 is not installed. On Debian: apt-get install sqlite3 (no_program)\n"


def test_a_developer_gets_a_migration_to_read(at_home: Operator, tmp_path: Path) -> None:
    # In a copy, so that the new migration does not stay in the source.
    source = tmp_path / "source"
    shutil.copytree(ROOT / "src" / "famichat", source / "famichat")
    made = subprocess.run(
        [sys.executable, "-m", "famichat", "migrate", "--make", "Nothing new", "--data-dir", at_home.data_dir],
        env={"PYTHONPATH": str(source)},
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.returncode == 0, made.stderr
    assert len(list((source / "famichat/storage/migrations/versions").glob("*_nothing_new.py"))) == 1
