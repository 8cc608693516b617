"""The revision of a database, read without Alembic, agrees with Alembic's."""

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from famichat.storage.database import Database
from famichat.storage.revision import MIGRATIONS, is_known, newest, revision


def test_the_newest_revision_is_the_only_head_of_the_migrations() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [newest()]


def test_every_migration_is_known() -> None:
    scripts = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]

    assert all(is_known(script) for script in scripts)
    assert not is_known("9999")


def test_the_revision_of_a_migrated_database_is_the_one_that_alembic_recorded(database: Database) -> None:
    with database.migrating() as connection:
        assert revision(connection) == MigrationContext.configure(connection).get_current_revision() == newest()


def test_an_empty_database_has_no_revision(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with database.migrating() as connection:
        assert revision(connection) is None
    database.close()
