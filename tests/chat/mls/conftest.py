import pytest

from famichat.storage.database import Database
from tests.factories.people import Household
from tests.factories.talk import group_of
from tests.support.encrypted import Encrypted, set_up


@pytest.fixture
def prepared(database: Database, household: Household) -> Encrypted:
    """The group before it has an MLS group."""
    return set_up(database, household, group_of)


@pytest.fixture
def encrypted(prepared: Encrypted) -> Encrypted:
    add = [prepared.key_package(prepared[name]) for name in ("emil", "inga")]
    prepared.create(prepared.home.maja, prepared.model.commit(prepared["maja"], add=add))
    prepared.model.advance()
    return prepared
