"""After a restore, no epoch is used twice."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from famichat.chat.mls.roster import roster_of
from famichat.chat.records.mls import MlsWelcome
from famichat.e2ee.key_package import StoredKeyPackage, publish_key_packages
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.epoch import begin_new_epoch, current_epoch, new_epoch_script
from tests.support.encrypted import Encrypted
from tests.support.mls import MlsGroupModel
from tests.support.services import identity


def restored(session: Session) -> None:
    """Do what a restore does on this database."""
    if session.get_bind().dialect.name == "sqlite":
        begin_new_epoch(session)
        return
    epoch = new_id()
    session.execute(text(new_epoch_script(epoch)))
    assert current_epoch(session) == epoch


def left(database: Database) -> int:
    def count(session: Session) -> int:
        return sum(len(session.execute(select(table)).all()) for table in (StoredKeyPackage, MlsWelcome))

    return database.run_read(count)


def test_a_restored_group_is_created_again_with_the_next_generation(encrypted: Encrypted) -> None:
    assert left(encrypted.database) > 0
    encrypted.run(restored)
    roster = encrypted.run(roster_of, encrypted.conversation_id)

    assert left(encrypted.database) == 0
    assert (roster.generation, roster.epoch, roster.needs_commit) == (0, None, True)
    for name in ("emil", "inga"):
        device = encrypted[name]
        actor = identity(getattr(encrypted.home, name))
        encrypted.run(publish_key_packages, actor, device.signature_key, [device.key_package()], None)
    model = MlsGroupModel(encrypted["maja"], generation=1)
    add = [encrypted.key_package(encrypted[name]) for name in ("emil", "inga")]
    result = encrypted.create(encrypted.home.maja, model.commit(encrypted["maja"], add=add))

    assert (result.generation, result.epoch) == (1, 1)
    assert not encrypted.needs_commit()


def test_a_group_that_was_created_after_the_backup_does_not_use_its_first_generation_again(
    encrypted: Encrypted,
) -> None:
    def without_group(session: Session) -> None:
        session.execute(text("DELETE FROM mls_commits"))
        session.execute(text("DELETE FROM mls_groups"))
        restored(session)

    encrypted.run(without_group)
    model = MlsGroupModel(encrypted["maja"], generation=1)
    result = encrypted.create(encrypted.home.maja, model.commit(encrypted["maja"]))

    assert (result.generation, result.epoch) == (1, 1)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite: the copy is migrated first
def test_a_backup_of_an_older_schema_gets_a_new_epoch(database: Database) -> None:
    def without_mls(session: Session) -> None:
        for table in ("mls_leaves", "mls_welcome_devices", "mls_groups", "mls_welcomes", "key_packages", "key_shares"):
            session.execute(text(f"DROP TABLE {table}"))
        restored(session)
        session.rollback()  # the next test needs the tables

    database.run(without_mls)
