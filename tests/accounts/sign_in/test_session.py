import asyncio
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import DataObject, booleans, data, sampled_from
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from famichat.accounts.device import NewDevice, devices_of
from famichat.accounts.errors import InvalidCredentials, InvalidToken, NoSuchDevice
from famichat.accounts.sign_in.reset import set_password
from famichat.accounts.sign_in.session import (
    REUSE_WINDOW,
    RefreshToken,
    ReusedRefreshToken,
    StartedSession,
    continue_session,
    end_session,
    refresh_session,
    start_session,
)
from famichat.accounts.user import User
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from tests.factories.people import PASSWORD_HASH, Household, person
from tests.support.clock import Clock

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
        successor = renewed(refresh(tokens[-1]))
        assert successor.identity == started.identity
        tokens.append(successor.refresh_token)

    assert len(set(tokens)) == 4


def renewed(result: StartedSession | ReusedRefreshToken) -> StartedSession:
    assert isinstance(result, StartedSession)
    return result


def test_a_refresh_whose_response_was_lost_can_be_retried_at_any_time(
    started: StartedSession, refresh: Refresh, clock: Clock
) -> None:
    lost = renewed(refresh(started.refresh_token))
    clock.jump(timedelta(days=30))

    retried = renewed(refresh(started.refresh_token))
    next_one = renewed(refresh(retried.refresh_token))

    assert lost.identity == retried.identity == next_one.identity == started.identity
    assert len({lost.refresh_token, retried.refresh_token, next_one.refresh_token}) == 3


def test_a_token_can_be_used_for_a_minute_after_its_successor_was_used(
    started: StartedSession, refresh: Refresh, clock: Clock
) -> None:
    successor = renewed(refresh(started.refresh_token))
    renewed(refresh(successor.refresh_token))
    clock.jump(REUSE_WINDOW - timedelta(seconds=5))

    assert renewed(refresh(started.refresh_token)).identity == started.identity


def test_a_retry_does_not_extend_the_minute(started: StartedSession, refresh: Refresh, clock: Clock) -> None:
    renewed(refresh(refresh_once(refresh, started)))
    clock.jump(timedelta(seconds=40))
    renewed(refresh(started.refresh_token))
    clock.jump(timedelta(seconds=40))

    assert isinstance(refresh(started.refresh_token), ReusedRefreshToken)


def test_a_token_whose_successor_was_used_signs_the_device_out_after_a_minute(
    database: Database, started: StartedSession, refresh: Refresh, clock: Clock
) -> None:
    newest = renewed(refresh(refresh_once(refresh, started)))
    clock.jump(REUSE_WINDOW)

    assert refresh(started.refresh_token) == ReusedRefreshToken(started.identity.user_id, started.identity.device_id)

    with pytest.raises(InvalidToken):
        refresh(newest.refresh_token)
    names = [each.name for each in database.run_read(lambda s: devices_of(s, started.identity.user_id))]
    assert names == ["maja's phone"], "only the device whose token was stolen"


def test_of_two_clients_that_hold_successors_of_one_token_the_second_signs_the_device_out(
    started: StartedSession, refresh: Refresh, clock: Clock
) -> None:
    """The owner refreshed, and a thief refreshed with the same token before the owner used the next one."""
    owner, thief = renewed(refresh(started.refresh_token)), renewed(refresh(started.refresh_token))
    renewed(refresh(thief.refresh_token))
    clock.jump(REUSE_WINDOW)

    assert isinstance(refresh(owner.refresh_token), ReusedRefreshToken)


def test_while_nothing_can_be_stored_a_session_continues_with_the_same_token(
    database: Database, started: StartedSession, refresh: Refresh, clock: Clock
) -> None:
    """In a read-only transaction."""
    successor = renewed(refresh(started.refresh_token))

    for token in (started.refresh_token, successor.refresh_token):
        continued = database.run_read(partial(continue_session, token=token))
        assert (continued.identity, continued.refresh_token) == (started.identity, token)

    renewed(refresh(successor.refresh_token))
    clock.jump(REUSE_WINDOW)
    with pytest.raises(InvalidToken):
        database.run_read(lambda session: continue_session(session, started.refresh_token))


def refresh_once(refresh: Refresh, session: StartedSession) -> str:
    return renewed(refresh(session.refresh_token)).refresh_token


@pytest.mark.parametrize("token", ["", "nonsense", "\0", "\ud800", "a" * 100_000])
def test_a_token_that_was_never_given_out_is_refused(database: Database, refresh: Refresh, token: str) -> None:
    with pytest.raises(InvalidToken):
        refresh(token)


def test_an_expired_token_is_refused(database: Database, started: StartedSession, refresh: Refresh) -> None:
    database.run(lambda session: session.execute(update(RefreshToken).values(expires_at=now())))

    with pytest.raises(InvalidToken):
        refresh(started.refresh_token)


def test_expired_tokens_are_forgotten(database: Database, started: StartedSession, refresh: Refresh) -> None:
    successor = renewed(refresh(started.refresh_token))
    used = update(RefreshToken).where(RefreshToken.used_at.is_not(None)).values(expires_at=now())
    database.run(lambda session: session.execute(used))

    refresh(successor.refresh_token)

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


def test_a_deleted_account_starts_no_session(database: Database, household: Household) -> None:
    with pytest.raises(InvalidCredentials):
        database.run(lambda session: start_session(session, new_id(), NewDevice("tablet")))


async def test_fifty_concurrent_refreshes_with_one_token_continue_one_session(
    database: Database, started: StartedSession
) -> None:
    def work(session: Session) -> StartedSession | ReusedRefreshToken:
        return refresh_session(session, started.refresh_token)

    results = [renewed(each) for each in await asyncio.gather(*(database.transaction(work) for _ in range(50)))]

    assert {each.identity for each in results} == {started.identity}
    assert len({each.refresh_token for each in results}) == 50
    assert isinstance(
        await database.transaction(lambda s: refresh_session(s, results[7].refresh_token)), StartedSession
    )


class Refreshing(RuleBasedStateMachine):
    """A device that refreshes and loses responses, until a thief uses one of its tokens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__()
        self.database, self.clock = database, clock
        self.tokens: list[str] = []
        self.stolen = False

    @initialize()
    def sign_in(self) -> None:
        def work(session: Session) -> StartedSession:
            who = person(session, f"maja{new_id()[-12:]}")
            return start_session(session, who.user_id, NewDevice("tablet"), PASSWORD_HASH)

        self.tokens.append(self.database.run(work).refresh_token)

    @rule(lost=booleans())
    def refresh_with_the_newest(self, *, lost: bool) -> None:
        if self.stolen:
            return
        received = renewed(self._refresh(self.tokens[-1])).refresh_token
        if not lost:
            self.tokens.append(received)

    @rule()
    def wait(self) -> None:
        self.clock.jump(REUSE_WINDOW)

    @precondition(lambda self: not self.stolen)
    @rule(source=data())
    def both_a_thief_and_the_owner_refresh(self, source: DataObject) -> None:
        self.stolen = True
        of_thief, of_owner = source.draw(sampled_from(self.tokens)), self.tokens[-1]
        results: list[StartedSession | ReusedRefreshToken] = []
        while not any(isinstance(each, ReusedRefreshToken) for each in results):
            assert len(results) < 6, "the thief was not noticed"
            results.append(thiefs := self._refresh(of_thief))
            if isinstance(thiefs, StartedSession):
                of_thief = thiefs.refresh_token
                self.clock.jump(REUSE_WINDOW)
                results.append(owners := self._refresh(of_owner))
                of_owner = owners.refresh_token if isinstance(owners, StartedSession) else of_owner
                self.clock.jump(REUSE_WINDOW)
        for token in (of_thief, of_owner, *self.tokens):
            with pytest.raises(InvalidToken):
                self._refresh(token)

    def _refresh(self, token: str) -> StartedSession | ReusedRefreshToken:
        return self.database.run(lambda session: refresh_session(session, token))


def test_lost_responses_never_end_a_session_and_a_thief_always_does(
    migrated_sqlite: Path, tmp_path: Path, clock: Clock
) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    database = Database(f"sqlite:///{tmp_path / 'famichat.db'}")

    class WithDatabase(Refreshing):
        def __init__(self) -> None:
            super().__init__(database, clock)

    try:
        run_state_machine_as_test(
            WithDatabase, settings=settings(max_examples=15, stateful_step_count=8, deadline=None)
        )
    finally:
        database.close()
