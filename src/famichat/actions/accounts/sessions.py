"""Sign in with a password, refresh a session, sign out."""

import asyncio
from dataclasses import dataclass, replace

from famichat.accounts.device import DeviceKind, NewDevice
from famichat.accounts.errors import InvalidCredentials, InvalidToken, TooManyAttempts
from famichat.accounts.profile import Profile
from famichat.accounts.sign_in import session as sessions
from famichat.accounts.sign_in.attempt import SignInAttempt, begin_sign_in, finish_sign_in, folded
from famichat.accounts.sign_in.password import verify_password
from famichat.accounts.sign_in.session import ReusedRefreshToken, StartedSession
from famichat.accounts.sign_in.token import Identity
from famichat.accounts.user import find_user
from famichat.actions.accounts.devices import announce_device_revoked
from famichat.actions.rate_limit import Address, RateLimited, account_at
from famichat.actions.services import Services
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events

REFUSAL_SECONDS = 0.5
"""When an address over its limit gets the answer to a wrong password: later than verifying it takes."""


@dataclass(frozen=True, slots=True)
class DeviceSession:
    """A signed-in device, its user's profile and its tokens."""

    identity: Identity
    profile: Profile
    access_token: str
    refresh_token: str


async def sign_in(
    services: Services, name_or_email: str, password: str, device: NewDevice, address: Address
) -> DeviceSession:
    """Sign in on a new device.

    An unknown account and a wrong password raise the same error after the same time.

    Args:
        services: the running server.
        name_or_email: a username or an e-mail address, as typed.
        password: as typed.
        device: the device to add to the account.
        address: the client address, for the rate limits.

    Raises:
        RateLimited: too many requests from this address.
        TooManyAttempts: too many wrong passwords for this account.
        InvalidCredentials: the account does not exist or the password is wrong.
        InvalidDeviceName: the device name is not allowed.
    """
    attempt = await verify_account_password(services, name_or_email, password, address)
    started = await services.write_with_reserve(finish_sign_in, attempt, address, device, services.index)
    services.rate_limits.remember_use(address, folded(name_or_email))
    return announce_session_started(services, started)


async def refresh_session(
    services: Services, refresh_token: str, kind: DeviceKind | None, address: Address
) -> DeviceSession:
    """Exchange a refresh token for a new access token and the next refresh token.

    Safe to retry with the same token if the response was lost. If two clients continue one session, its device is
    revoked: one of them stole a token, and the server cannot tell which. See `accounts.sign_in.session`.

    If nothing can be stored, the response contains the same refresh token again.

    Args:
        services: the running server.
        refresh_token: the latest refresh token of the device, or the one before.
        kind: the device kind, if the client sent one; None keeps the stored value.
        address: the client address, for the rate limits.

    Raises:
        RateLimited: too many requests of this device, or too many invalid tokens from this address.
        InvalidToken: the token is unknown, expired or superseded, or its device was revoked.
    """
    try:
        actor = await services.read(sessions.signed_in_device, refresh_token)
    except InvalidToken:
        await services.rate_limits.check_shared("refresh", address)
        raise
    await services.rate_limits.check_shared("refresh", actor)
    services.rate_limits.remember_use(address, folded(actor.username))
    try:
        # In this thread because a reused token ends the device's access.
        renewed = await services.write_between_batches(sessions.refresh_session, refresh_token, kind)
    except StorageUnavailable:
        # Such as with a full disk: users can still read.
        return _device_session(services, await services.read(sessions.continue_session, refresh_token))
    if isinstance(renewed, ReusedRefreshToken):
        announce_device_revoked(services, renewed.user_id, renewed.device_id, "refresh_token_reused")
        raise InvalidToken
    return _device_session(services, renewed)


async def sign_out(services: Services, actor: Identity) -> None:
    """Revoke the tokens of the actor's device and close its connections.

    Raises:
        NoSuchDevice: the device was revoked in the meantime.
    """
    await services.write_between_batches(sessions.end_session, actor)
    announce_device_revoked(services, actor.user_id, actor.device_id, "signed_out")


async def verify_account_password(
    services: Services, name_or_email: str, password: str, address: Address, actor: Identity | None = None
) -> SignInAttempt:
    """Verify the password of an account and count the attempt.

    The attempt stays counted until `login_throttle.reset_attempts`, which the caller runs once the sign-in succeeds.

    Args:
        services: the running server.
        name_or_email: a username or an e-mail address, as typed.
        password: as typed.
        address: the client address, for the rate limits.
        actor: the authenticated user, whose attempts do not count for the address.

    Raises:
        RateLimited: too many requests from this address and not the right password, or too many of this actor.
        TooManyAttempts: too many wrong passwords for this account.
        InvalidCredentials: the account does not exist or the password is wrong.
    """
    if actor is not None:
        await services.rate_limits.check_shared("sign_in", actor)
        return await _verify(services, name_or_email, password, address)
    try:
        await services.rate_limits.check_sign_in(address, folded(name_or_email))
    except RateLimited as refusal:
        if services.rate_limits.is_used_at(address, folded(name_or_email)):
            raise  # the limit of the account itself
        return await _verify_over_limit(services, name_or_email, password, address, refusal)
    return await _verify(services, name_or_email, password, address)


async def _verify_over_limit(
    services: Services, name_or_email: str, password: str, address: Address, refusal: RateLimited
) -> SignInAttempt:
    """Verify a password from an address whose limit is exceeded, so that strangers there lock out no account.

    Only the right password gets another answer than `refusal`. All others get it after the same time, so that they do
    not reveal which accounts exist. However many names a client tries, only those of accounts cost a password hash,
    and each account has a limit of its own.

    Raises:
        RateLimited: the given refusal.
    """
    clock = asyncio.get_running_loop().time
    answer_at = clock() + REFUSAL_SECONDS
    try:
        user = await services.read(find_user, name_or_email, services.index)
        if user is None:
            raise refusal
        await services.rate_limits.check_shared("sign_in", account_at(address, user.id))
        return await _verify(services, name_or_email, password, address)
    except (RateLimited, TooManyAttempts, InvalidCredentials):
        await asyncio.sleep(answer_at - clock())
        raise refusal from None


async def _verify(services: Services, name_or_email: str, password: str, address: Address) -> SignInAttempt:
    limited = services.rate_limits.enabled
    try:
        attempt = await services.write_with_reserve(
            begin_sign_in, name_or_email, address, services.index, limited=limited
        )
    except TooManyAttempts as error:
        emit(events.RateLimitThrottled(limit="guesses", retry_in_seconds=error.retry_in_seconds))
        raise
    new_hash = await verify_password(attempt.password_hash, password)
    if new_hash is None:
        raise InvalidCredentials(attempt.user_id)
    return replace(attempt, new_hash=new_hash)


def announce_session_started(services: Services, started: StartedSession) -> DeviceSession:
    """Emit telemetry for a new session and issue its first access token. Call after the commit."""
    emit(events.SessionStarted(user_id=started.identity.user_id, device_id=started.identity.device_id))
    return _device_session(services, started)


def _device_session(services: Services, started: StartedSession) -> DeviceSession:
    identity = started.identity
    access_token = services.tokens.issue(identity.user_id, identity.device_id)
    return DeviceSession(identity, started.profile, access_token, started.refresh_token)
