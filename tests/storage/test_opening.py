"""Opening a database: the right one is migrated; one that is missing, swapped or unusable is refused and named."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from famichat.storage import opening
from famichat.storage.base import new_id
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.node import forget, refresh
from famichat.storage.opening import open_database
from famichat.storage.problems import PROBLEMS, DatabaseUnusable
from tests.support.operator import Operator
from tests.support.postgres import Postgres


def refused(url: str, data_dir: DataDir) -> str:
    with pytest.raises(DatabaseUnusable) as caught:
        open_database(url, data_dir).close()
    assert str(caught.value) == PROBLEMS[caught.value.code].sentence
    return caught.value.code


# SQLite


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data")


@pytest.fixture
def file(data_dir: DataDir, migrated_sqlite: Path) -> Path:
    """The database file of a server that was stopped."""
    data_dir.path.mkdir()
    path = data_dir.path / "famichat.db"
    shutil.copy(migrated_sqlite, path)
    open_database(f"sqlite:///{path}", data_dir).close()
    return path


def remove(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def lose_everything_but_the_header(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:8192])


def overwrite(file: Path) -> None:
    file.write_bytes(b"not a database" * 1000)


def swap(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE history SET database_id = '01a22a54-7551-75d1-b67e-d90d777a0034'")
        connection.commit()


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (remove, "database_missing"),
        (empty, "database_missing"),
        (lose_everything_but_the_header, "database_missing"),
        (truncate, "database_damaged"),
        (overwrite, "database_damaged"),
        (swap, "database_swapped"),
    ],
)
def test_a_lost_database_file_is_named_and_not_replaced(
    data_dir: DataDir, file: Path, happens: Callable[[Path], None], code: str
) -> None:
    happens(file)
    before = file.read_bytes() if file.exists() else None
    operator = Operator(data_dir.path)
    data_dir.secrets_file.write_text('{"secret_key": "x", "vault_keys": {"1": "' + "A" * 43 + '="}}')

    assert refused(f"sqlite:///{file}", data_dir) == code
    assert (file.read_bytes() if file.exists() else None) == before
    assert operator.refused("migrate") == code
    assert f"({code})" in operator.run("doctor").stdout


def test_a_new_server_gets_a_database(data_dir: DataDir) -> None:
    data_dir.path.mkdir()
    open_database(f"sqlite:///{data_dir.path / 'famichat.db'}", data_dir).close()

    assert data_dir.database_id() is not None


def test_the_file_alone_is_complete_after_closing_although_another_program_reads_it(file: Path, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{file}")
    database.run(lambda session: session.execute(text("CREATE TABLE written (id INTEGER)")))
    with closing(sqlite3.connect(file)) as reader:
        reader.execute("SELECT * FROM written").fetchall()
        database.close()
        copy = shutil.copy(file, tmp_path / "copy.db")

    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM written").fetchone() == (0,)


# PostgreSQL


@pytest.fixture
def strange(postgres: Postgres) -> Iterator[str]:
    """A database that each test spoils in its own way."""
    yield postgres.create("strange")
    postgres.drop("strange")


def test_a_postgresql_that_cannot_be_reached_is_named(postgres: Postgres, data_dir: DataDir) -> None:
    data_dir.path.mkdir()
    url, port = postgres.url(), postgres.port
    codes = {
        url.replace("famichat@", "stranger@"): "database_password",
        url.replace("127.0.0.1", "nowhere.invalid"): "database_host",
        postgres.url("nothing"): "database_name",
        f"{url}?sslmode=require": "database_tls",
        url.replace(f":{port}/", ":1/"): "unavailable",
    }

    assert {where: refused(where, data_dir) for where in codes} == codes


def test_a_wrong_password_is_named(postgres: Postgres, data_dir: DataDir) -> None:
    data_dir.path.mkdir()
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    postgres.sql("CREATE ROLE locked LOGIN PASSWORD 'right'")
    try:
        rules.write_text(f"host all locked 127.0.0.1/32 scram-sha-256\nhost all barred 127.0.0.1/32 reject\n{before}")
        postgres.sql("SELECT pg_reload_conf()")
        wrong = postgres.url().replace("famichat@", "locked:wrong@")
        assert refused(wrong, data_dir) == "database_password"
        assert refused(postgres.url().replace("famichat@", "barred@"), data_dir) == "database_access"
        assert "wrong@" not in Operator(data_dir.path, wrong).run("migrate").output
    finally:
        rules.write_text(before)
        postgres.sql("SELECT pg_reload_conf()")
        postgres.sql("DROP ROLE locked")


def test_a_user_who_may_not_create_tables_is_named(postgres: Postgres, strange: str, data_dir: DataDir) -> None:
    data_dir.path.mkdir()
    postgres.sql("CREATE ROLE guest LOGIN")
    try:
        assert refused(strange.replace("famichat@", "guest@"), data_dir) == "database_permission"
    finally:
        postgres.sql("DROP ROLE guest")


def test_a_read_only_postgresql_is_named(postgres: Postgres, strange: str, data_dir: DataDir) -> None:
    data_dir.path.mkdir()
    postgres.sql('ALTER DATABASE "strange" SET default_transaction_read_only = on')

    assert refused(strange, data_dir) == "database_read_only"
    assert Operator(data_dir.path, strange).refused("migrate") == "database_read_only"


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_with_another_encoding_is_named(postgres: Postgres, data_dir: DataDir, encoding: str) -> None:
    data_dir.path.mkdir()
    postgres.sql(f"CREATE DATABASE strange TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    try:
        assert refused(postgres.url("strange"), data_dir) == "database_encoding"
        assert "(database_encoding)" in Operator(data_dir.path, postgres.url("strange")).run("doctor").stdout
    finally:
        postgres.drop("strange")


def test_a_migration_waits_for_nodes_of_the_older_release_and_names_them(
    postgres: Postgres, migrated_postgres: str, data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "NODES_SECONDS", 0)
    data_dir.path.mkdir()
    url = postgres.create("rolling", migrated_postgres)
    database, node, migrated = Database(url), new_id(), list[Database]()

    def refuse_migration(before: Database) -> None:
        migrated.append(before)
        raise InterruptedError

    database.run(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '0035'")))
    database.run(lambda session: refresh(session, node, "0.1.0", draining=False, hearing=True, misrouted_polls=0))
    in_use = refused(url, data_dir)
    database.run(lambda session: forget(session, node))
    database.close()
    with pytest.raises(InterruptedError):
        open_database(url, data_dir, refuse_migration)
    postgres.drop("rolling")

    assert in_use == "database_in_use"
    assert len(migrated) == 1


def test_a_database_with_another_date_style_works(
    postgres: Postgres, migrated_postgres: str, data_dir: DataDir
) -> None:
    data_dir.path.mkdir()
    url = postgres.create("german", migrated_postgres)
    postgres.sql("ALTER DATABASE german SET DateStyle = 'German'")
    database = open_database(url, data_dir)
    began = database.run_read(lambda session: session.execute(text("SELECT began_at FROM history")).scalar_one())
    database.close()
    postgres.drop("german")

    assert began.tzinfo is not None


def test_an_empty_or_swapped_postgresql_is_refused(
    postgres: Postgres, migrated_postgres: str, strange: str, data_dir: DataDir
) -> None:
    data_dir.path.mkdir()
    url = postgres.create("own", migrated_postgres)
    open_database(url, data_dir).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE history SET database_id = gen_random_uuid()")

    assert refused(url, data_dir) == "database_swapped"
    assert refused(strange, data_dir) == "database_missing"
    postgres.drop("own")


def test_an_old_postgresql_is_named(
    postgres: Postgres, strange: str, data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("famichat.storage.opening._OLDEST_POSTGRES", 99_00_00)
    data_dir.path.mkdir()

    assert refused(strange, data_dir) == "database_version"
