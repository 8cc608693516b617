import asyncio
from collections.abc import Callable
from datetime import timedelta
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies import DataObject, data, sampled_from
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from famichat.accounts.device import Device, NewDevice, devices_of
from famichat.accounts.errors import InvalidCredentials, InvalidToken, NoSuchDevice
from famichat.accounts.sign_in.reset import set_password
from famichat.accounts.sign_in.session import (
    RefreshToken,
    ReusedRefreshToken,
    StartedSession,
    end_session,
    refresh_session,
    start_session,
)
from famichat.accounts.user import User
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from tests.factories.people import PASSWORD_HASH, Household, person

Refresh = Callable[[str], StartedSession | ReusedRefreshToken]


@pytest.fixture
def started(database: Database, household: Household) -> StartedSession:
    return database.run(
        lambda session: start_session(session, household.maja.user_id, NewDevice("tablet"), PASSWORD_HASH)
    )


@pytest.fixture
def refresh(database: Database) -> Refresh:
    return lambda token: database.run(lambda session: refresh_session(session, token))


def test_a_session_starts_on_a_new_device(database: Database, household: Household, started: StartedSession) -> None:
    maja = database.run_read(lambda session: session.get_one(User, household.maja.user_id))
    names = [each.name for each in database.run_read(lambda session: devices_of(session, maja.id))]

    assert (started.identity.user_id, started.identity.username) == (maja.id, "maja")
    assert names == ["maja's phone", "tablet"]
    assert maja.last_login_at is not None
    assert now() - maja.last_login_at < timedelta(seconds=10)


def test_a_refresh_token_is_not_in_the_database(database: Database, started: StartedSession) -> None:
    kept = database.run_read(lambda session: session.execute(select(RefreshToken.token_hash)).scalars().all())

    assert [len(each) for each in kept] == [32]
    assert started.refresh_token.encode() not in kept


def test_each_refresh_gives_the_next_token(started: StartedSession, refresh: Refresh) -> None:
    tokens = [started.refresh_token]
    for _ in range(3):
        renewed = refresh(tokens[-1])
        assert isinstance(renewed, StartedSession)
        assert renewed.identity == started.identity
        tokens.append(renewed.refresh_token)

    assert len(set(tokens)) == 4


def test_a_token_that_comes_twice_signs_the_device_out(
    database: Database, started: StartedSession, refresh: Refresh
) -> None:
    renewed = refresh(started.refresh_token)
    assert isinstance(renewed, StartedSession)

    assert refresh(started.refresh_token) == ReusedRefreshToken(started.identity.user_id, started.identity.device_id)

    with pytest.raises(InvalidToken):
        refresh(renewed.refresh_token)
    names = [each.name for each in database.run_read(lambda s: devices_of(s, started.identity.user_id))]
    assert names == ["maja's phone"], "only the device whose token was stolen"


@pytest.mark.parametrize("token", ["", "nonsense", "\0", "\ud800", "a" * 100_000])
def test_a_token_that_was_never_given_out_is_refused(database: Database, refresh: Refresh, token: str) -> None:
    with pytest.raises(InvalidToken):
        refresh(token)


def test_an_expired_token_is_refused(database: Database, started: StartedSession, refresh: Refresh) -> None:
    database.run(lambda session: session.execute(update(RefreshToken).values(expires_at=now())))

    with pytest.raises(InvalidToken):
        refresh(started.refresh_token)


def test_expired_tokens_are_forgotten(database: Database, started: StartedSession, refresh: Refresh) -> None:
    renewed = refresh(started.refresh_token)
    assert isinstance(renewed, StartedSession)
    used = update(RefreshToken).where(RefreshToken.used_at.is_not(None)).values(expires_at=now())
    database.run(lambda session: session.execute(used))

    refresh(renewed.refresh_token)

    assert len(database.run_read(lambda session: session.execute(select(RefreshToken)).all())) == 2


def test_signing_out_ends_the_refresh_token_too(database: Database, started: StartedSession, refresh: Refresh) -> None:
    database.run(lambda session: end_session(session, started.identity))

    with pytest.raises(InvalidToken):
        refresh(started.refresh_token)
    with pytest.raises(NoSuchDevice):
        database.run(lambda session: end_session(session, started.identity))


def test_a_password_that_changed_during_verification_starts_no_session(
    database: Database, household: Household
) -> None:
    def change(session: Session) -> None:
        set_password(session, session.get_one(User, household.maja.user_id), "another hash")

    database.run(change)

    with pytest.raises(InvalidCredentials):
        database.run(lambda session: start_session(session, household.maja.user_id, NewDevice("tablet"), PASSWORD_HASH))


def test_an_account_that_is_gone_starts_no_session(database: Database, household: Household) -> None:
    with pytest.raises(InvalidCredentials):
        database.run(lambda session: start_session(session, new_id(), NewDevice("tablet")))


async def test_two_concurrent_refreshes_with_one_token_end_the_session(
    database: Database, started: StartedSession
) -> None:
    token = started.refresh_token

    results = await asyncio.gather(
        *(database.transaction(lambda session: refresh_session(session, token)) for _ in range(2))
    )

    assert sorted(type(each).__name__ for each in results) == ["ReusedRefreshToken", "StartedSession"]
    device = await database.read(lambda session: session.get_one(Device, started.identity.device_id))
    assert device.revoked_at is not None


class Refreshing(RuleBasedStateMachine):
    """A device that refreshes, and a thief who may use any token issued so far."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.database = Database(f"sqlite:///{self.folder.name}/famichat.db")
        upgrade(self.database)
        self.used: list[str] = []
        self.newest = ""
        self.revoked = False

    @initialize()
    def sign_in(self) -> None:
        def work(session: Session) -> StartedSession:
            who = person(session, f"maja{new_id()[-12:]}")
            return start_session(session, who.user_id, NewDevice("tablet"), PASSWORD_HASH)

        self.newest = self.database.run(work).refresh_token

    @rule()
    def refresh_with_the_newest(self) -> None:
        if self.revoked:
            with pytest.raises(InvalidToken):
                self._refresh(self.newest)
            return
        renewed = self._refresh(self.newest)
        assert isinstance(renewed, StartedSession)
        self.used.append(self.newest)
        self.newest = renewed.refresh_token

    @precondition(lambda self: self.used)
    @rule(source=data())
    def refresh_with_a_used_one(self, source: DataObject) -> None:
        token = source.draw(sampled_from(self.used))
        if self.revoked:
            with pytest.raises(InvalidToken):
                self._refresh(token)
            return
        assert isinstance(self._refresh(token), ReusedRefreshToken)
        self.revoked = True

    def _refresh(self, token: str) -> StartedSession | ReusedRefreshToken:
        return self.database.run(lambda session: refresh_session(session, token))

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()


Refreshing.TestCase.settings = settings(max_examples=15, stateful_step_count=8, deadline=None)
TestRefreshing = Refreshing.TestCase
