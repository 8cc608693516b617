import pytest
from sqlalchemy import text

import famichat.accounts.device
import famichat.accounts.guess
import famichat.accounts.invite
import famichat.accounts.ledger
import famichat.accounts.passkey
import famichat.accounts.session
import famichat.accounts.user
import famichat.chat.conversation
import famichat.chat.family
import famichat.chat.group_privilege
import famichat.chat.message
import famichat.chat.message_edit
import famichat.chat.participant
import famichat.chat.reaction
import famichat.chat.receipt
import famichat.push.choices
import famichat.push.subscription  # noqa: F401 - the models must be known to be compared
from famichat.storage import history, migrate  # noqa: F401 - history, too, is a model
from famichat.storage.database import Database


def test_the_models_and_the_migrated_database_agree(database: Database) -> None:
    migrate.check(database)


def test_migrating_a_migrated_database_changes_nothing(database: Database) -> None:
    before, after = migrate.upgrade(database)

    assert before == after


def test_a_database_of_a_newer_famichat_is_refused(database: Database) -> None:
    database.run(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")))

    with pytest.raises(migrate.NewerDatabaseError, match="9999"):
        migrate.upgrade(database)
