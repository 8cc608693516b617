"""Privacy settings: receipts, typing indicators and presence are visible to others until the user turns them off."""

from dataclasses import replace
from typing import Final

import pytest

from famichat.accounts.privacy import PrivacySettings, change_privacy, privacy_of
from famichat.storage.database import Database
from tests.factories.people import Household

EVERYTHING: Final = PrivacySettings(read_receipts=True, typing_indicators=True, presence=True)


def test_every_privacy_setting_is_on_by_default(database: Database, household: Household) -> None:
    assert database.run_read(lambda session: privacy_of(session, household.nils.user_id)) == EVERYTHING


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"read_receipts": False}, replace(EVERYTHING, read_receipts=False)),
        ({"typing_indicators": False}, replace(EVERYTHING, typing_indicators=False)),
        ({"presence": False}, replace(EVERYTHING, presence=False)),
        (
            {"read_receipts": False, "typing_indicators": False},
            replace(EVERYTHING, read_receipts=False, typing_indicators=False),
        ),
        ({}, EVERYTHING),
    ],
)
def test_each_setting_is_independent_and_belongs_to_one_user(
    database: Database, household: Household, chosen: dict[str, bool], left: PrivacySettings
) -> None:
    answered = database.run(lambda session: change_privacy(session, household.nils.user_id, **chosen))
    kept = database.run_read(lambda session: privacy_of(session, household.nils.user_id))
    others = database.run_read(lambda session: privacy_of(session, household.maja.user_id))

    assert (answered, kept, others) == (left, left, EVERYTHING)


def test_a_setting_can_be_turned_on_again(database: Database, household: Household) -> None:
    nils = household.nils.user_id
    database.run(lambda session: change_privacy(session, nils, read_receipts=False, typing_indicators=False))
    database.run(lambda session: change_privacy(session, nils, read_receipts=True))

    assert database.run_read(lambda session: privacy_of(session, nils)) == replace(EVERYTHING, typing_indicators=False)
