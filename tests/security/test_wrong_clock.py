"""The clock of the server was ahead or behind, and was corrected: nothing is locked, and nothing stays valid too long.

A machine without a battery-backed clock starts with any time, and is corrected when it reaches the network.
"""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials, InvalidInvite, InvalidToken, TooManyAttempts
from famichat.accounts.invite import create_invite, find_invite
from famichat.accounts.sign_in.login_throttle import (
    FROM_ONE_ADDRESS,
    LoginAttempts,
    count_attempt,
    reset_attempts,
)
from famichat.accounts.sign_in.reset import request_reset, reset_password
from famichat.accounts.sign_in.session import StartedSession, refresh_session, start_session
from famichat.accounts.sign_in.token import Tokens
from famichat.accounts.sign_in.webauthn import WebAuthn
from famichat.accounts.user import User
from famichat.attachments.files import Files
from famichat.attachments.signed_url import SignedUrls, UrlGrant
from famichat.attachments.sweep import UNSENT_HOURS, Sweep
from famichat.chat.errors import NotFound
from famichat.chat.records.attachment import Attachment
from famichat.storage.base import CLOCK_TOLERANCE, new_id
from famichat.storage.database import Database
from tests.factories.people import INDEX, PASSWORD_HASH, SECRET, Household
from tests.factories.talk import attach, direct_of
from tests.support.authenticator import Authenticator
from tests.support.clock import Clock

TEN_YEARS, TWO_DAYS = timedelta(days=3650), timedelta(days=2)
URL = "https://chat.example.org"


def guess(database: Database) -> None:
    database.run(lambda session: count_attempt(session, INDEX, "maja", "192.0.2.1"))


def lock_out(database: Database) -> None:
    for _ in range(FROM_ONE_ADDRESS.attempts):
        guess(database)
    with pytest.raises(TooManyAttempts):
        guess(database)


@pytest.mark.parametrize("step", [TEN_YEARS, TWO_DAYS])
def test_wrong_passwords_while_the_clock_was_ahead_lock_no_account(
    database: Database, clock: Clock, step: timedelta
) -> None:
    clock.jump(step)
    lock_out(database)
    clock.jump(-step)

    guess(database)

    database.run(lambda session: reset_attempts(session, INDEX, "emil", "192.0.2.1"))
    begun = database.run_read(lambda session: session.execute(select(LoginAttempts.began_at)).scalars().all())
    assert begun
    assert all(each.timestamp() <= time.time() for each in begun), "counters from the future are deleted"


def test_wrong_passwords_while_the_clock_was_behind_lock_no_account(database: Database, clock: Clock) -> None:
    clock.jump(-TEN_YEARS)
    lock_out(database)
    clock.jump(TEN_YEARS)

    guess(database)


def test_the_limit_of_passwords_holds_between_servers_with_slightly_different_clocks(
    database: Database, clock: Clock
) -> None:
    lock_out(database)
    clock.jump(-CLOCK_TOLERANCE / 2)

    with pytest.raises(TooManyAttempts):
        guess(database)


def test_an_access_token_from_a_clock_that_was_ahead_is_refused(clock: Clock) -> None:
    tokens = Tokens(SECRET, clock)
    clock.jump(TEN_YEARS)
    ahead = tokens.issue(new_id(), new_id())
    tokens.read(ahead)
    clock.jump(-TEN_YEARS)

    with pytest.raises(InvalidToken):
        tokens.read(ahead)


def test_a_signed_url_from_a_clock_that_was_ahead_is_refused(clock: Clock) -> None:
    urls = SignedUrls(SECRET, clock)
    clock.jump(TEN_YEARS)
    path, _ = urls.issue(UrlGrant(new_id(), new_id(), new_id(), "file"))
    token = path.removeprefix("/files/")
    urls.read(token)
    clock.jump(-TEN_YEARS)

    with pytest.raises(NotFound):
        urls.read(token)


def test_an_invitation_from_a_clock_that_was_ahead_is_refused(
    database: Database, household: Household, clock: Clock
) -> None:
    clock.jump(TEN_YEARS)
    issued = database.run(lambda session: create_invite(session, household.family_id, household.maja.user_id))
    clock.jump(-TEN_YEARS)

    with pytest.raises(InvalidInvite):
        database.run_read(lambda session: find_invite(session, issued.token))


def test_a_password_reset_from_a_clock_that_was_ahead_is_refused(
    database: Database, household: Household, clock: Clock
) -> None:
    clock.jump(TEN_YEARS)
    token = database.run(lambda session: request_reset(session, session.get_one(User, household.maja.user_id)))
    clock.jump(-TEN_YEARS)

    with pytest.raises(InvalidToken):
        database.run(lambda session: reset_password(session, token, "another hash"))


def test_a_passkey_challenge_tolerates_slightly_different_clocks_but_not_wrong_ones(clock: Clock) -> None:
    webauthn, user_id, key = WebAuthn(URL, SECRET), new_id(), Authenticator(URL)
    passkey = webauthn.verify_registration(user_id, key.create(webauthn.registration_options(user_id, "maja", [])))
    answer = key.get(webauthn.assertion_options())

    clock.jump(-CLOCK_TOLERANCE / 2)
    webauthn.verify_assertion(answer, user_id, passkey.public_key, passkey.sign_count)
    clock.jump(-CLOCK_TOLERANCE)
    with pytest.raises(InvalidCredentials):
        webauthn.verify_assertion(answer, user_id, passkey.public_key, passkey.sign_count)


def test_a_device_that_refreshed_while_the_clock_was_ahead_stays_signed_in(
    database: Database, household: Household, clock: Clock
) -> None:
    started = sign_in(database, household)
    clock.jump(timedelta(days=30))
    ahead = refreshed(database, started)
    clock.jump(timedelta(days=-30))

    assert refreshed(database, refreshed(database, ahead)).identity == started.identity


def test_a_device_that_refreshed_while_the_clock_was_behind_stays_signed_in(
    database: Database, household: Household, clock: Clock
) -> None:
    started = sign_in(database, household)
    clock.jump(-TEN_YEARS)
    behind = refreshed(database, started)
    clock.jump(TEN_YEARS)

    assert refreshed(database, behind).identity == started.identity


def sign_in(database: Database, household: Household) -> StartedSession:
    maja = household.maja.user_id
    return database.run(lambda session: start_session(session, maja, NewDevice("tablet"), PASSWORD_HASH))


def refreshed(database: Database, started: StartedSession) -> StartedSession:
    result = database.run(lambda session: refresh_session(session, started.refresh_token))
    assert isinstance(result, StartedSession)
    return result


async def test_an_upload_from_a_clock_that_was_ahead_expires_after_a_day(
    database: Database, household: Household, clock: Clock, tmp_path: Path
) -> None:
    def begin(session: Session) -> str:
        return attach(session, direct_of(session, household), household.maja, None)

    clock.jump(TEN_YEARS)
    upload = database.run(begin)
    clock.jump(-TEN_YEARS)
    sweep = Sweep(database, Files(tmp_path / "files"))
    await sweep.once()
    assert database.run_read(lambda session: session.get(Attachment, upload)) is not None

    clock.jump(timedelta(hours=UNSENT_HOURS))
    await sweep.once()
    assert database.run_read(lambda session: session.get(Attachment, upload)) is None


def test_a_stray_file_from_a_clock_that_was_ahead_is_removed(tmp_path: Path) -> None:
    files = Files(tmp_path)
    stray = files.upload(new_id())
    stray.parent.mkdir()
    stray.write_bytes(b"x")
    os.utime(stray, (time.time() + TEN_YEARS.total_seconds(),) * 2)

    assert files.remove_strays([], older_than_seconds=3600) == 1
