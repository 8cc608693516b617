"""First run: create the first family and its admin with the setup code that the server printed."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import AlreadySetUp, InvalidCredentials, InvalidSetupCode, UsernameTaken
from famichat.accounts.names.username import Username
from famichat.accounts.sign_in.attempt import finish_sign_in
from famichat.accounts.sign_in.password import hash_password
from famichat.accounts.sign_in.session import StartedSession, start_session
from famichat.accounts.user import Newcomer, free_usernames
from famichat.actions.accounts.sessions import DeviceSession, announce_session_started, verify_account_password
from famichat.actions.rate_limit import Address, account_at
from famichat.actions.services import Services
from famichat.chat.families import family
from famichat.chat.families.join import JoinedFamily, repeated_setup, set_up
from famichat.telemetry import emit, events
from famichat.typed_text import code_form


@dataclass(frozen=True, slots=True)
class NewAccount:
    """The request for a new account, as typed."""

    username: str
    password: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class NewMember:
    """A new account that joined a family and is signed in."""

    family_id: str
    session: DeviceSession


async def needs_setup(services: Services) -> bool:
    """Return whether the server has no family yet."""
    return await services.read(family.needs_setup)


async def set_up_server(
    services: Services, code: str, family_name: str, account: NewAccount, device: NewDevice, address: Address
) -> NewMember:
    """Create the first family and its admin, and sign the admin in. Works once.

    If the response is lost, the same request signs the admin in, until the server is restarted.

    Args:
        services: the running server.
        code: the setup code; case and surrounding spaces are ignored.
        family_name: the name of the first family.
        account: the admin's account.
        device: the device to sign in on.
        address: the client address, for the rate limits.

    Raises:
        RateLimited: too many wrong codes from this address, or too many requests with the right one.
        AlreadySetUp: a family exists.
        InvalidSetupCode: the code is wrong.
        AccountsError: the username, the address, the password or the device name is not allowed; the code stays valid.
        InvalidName: the family name is not allowed; the code stays valid.
    """
    try:
        _check_code(code, services.setup_code)
    except InvalidSetupCode:
        await services.rate_limits.check_shared("sign_in", address)
        if not await needs_setup(services):
            raise AlreadySetUp from None
        raise
    await services.rate_limits.check_shared("sign_in", account_at(address, "setup"))
    if not await needs_setup(services):
        return await _set_up_again(services, family_name, account, device, address)
    try:
        return await _set_up(services, family_name, account, device)
    except AlreadySetUp:  # by a concurrent request
        return await _set_up_again(services, family_name, account, device, address)


async def _set_up(services: Services, family_name: str, account: NewAccount, device: NewDevice) -> NewMember:
    newcomer = Newcomer.parse(account.username, account.email)
    password_hash = await hash_password(account.password, *newcomer.names)

    def work(session: Session) -> tuple[JoinedFamily, StartedSession]:
        joined = set_up(session, family_name, newcomer, password_hash, services.vault, services.index)
        return joined, start_session(session, joined.user_id, device)

    async with suggest_usernames(services, newcomer.username):
        joined, started = await services.write(work)
    return announce_new_member(services, joined, started)


async def _set_up_again(
    services: Services, family_name: str, account: NewAccount, device: NewDevice, address: Address
) -> NewMember:
    try:
        attempt = await verify_account_password(services, account.username, account.password, address)
    except InvalidCredentials:
        raise AlreadySetUp from None

    def work(session: Session) -> tuple[JoinedFamily, StartedSession]:
        started = finish_sign_in(session, attempt, address, device, services.index)
        return repeated_setup(session, family_name, started.identity.user_id), started

    joined, started = await services.write(work)
    return announce_new_member(services, joined, started)


@asynccontextmanager
async def suggest_usernames(services: Services, wanted: Username, family_id: str | None = None) -> AsyncIterator[None]:
    """Add free usernames to the error of a block that creates an account whose username is taken.

    Raises:
        UsernameTaken: the block raised it; with `suggestions`.
    """
    try:
        yield
    except UsernameTaken:
        suggestions = await services.read(free_usernames, wanted, family_id)
        raise UsernameTaken(suggestions=suggestions) from None


def announce_new_member(services: Services, joined: JoinedFamily, started: StartedSession) -> NewMember:
    """Emit telemetry for a new account in a family and issue its first access token. Call after the commit."""
    if not joined.repeated:
        emit(events.FamilyMemberAdded(family_id=joined.family_id, user_id=joined.user_id))
    return NewMember(joined.family_id, announce_session_started(services, started))


def _check_code(given: str, expected: str | None) -> None:
    if expected is None or not hmac.compare_digest(code_form(given).encode(), code_form(expected).encode()):
        raise InvalidSetupCode
