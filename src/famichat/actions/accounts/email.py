"""Changing and confirming an e-mail address, and resetting a forgotten password with an e-mail to it."""

from functools import partial

from sqlalchemy.orm import Session

from famichat.accounts.errors import EmailUnavailable, InvalidCredentials, InvalidEmail
from famichat.accounts.names.email_address import parse_email
from famichat.accounts.sign_in import reset
from famichat.accounts.sign_in.login_throttle import reset_attempts
from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.accounts.user import User, email_of, set_email
from famichat.actions.accounts.sessions import verify_account_password
from famichat.actions.rate_limit import Address, RateLimited, mailbox_of
from famichat.actions.services import Services
from famichat.mail.mailer import Letter, Mailer
from famichat.mail.texts import Language


async def request_reset_by_email(services: Services, name: str, language: Language, address: Address) -> None:
    """Send an e-mail with a link to set a new password, if the account exists and its address is confirmed.

    Everything that depends on the account happens after the response, so neither the response nor its time reveals
    whether the account exists.

    Args:
        services: the services of this server.
        name: a username or an e-mail address.
        language: of the e-mail.
        address: the client's address.

    Raises:
        EmailUnavailable: the operator configured no SMTP server.
        RateLimited: too many requests from this address.
    """
    await services.rate_limits.check_shared("invite", address)
    _mailer(services).enqueue(partial(_reset_letter, services, name, language))


async def change_email(services: Services, actor: Identity, typed: str | None, password: str, address: Address) -> None:
    """Set or remove the actor's e-mail address, which is not confirmed then.

    The password is required, because an e-mail to a confirmed address gives access to the account.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        typed: the address; None to remove it.
        password: the actor's password, required again.
        address: the client address, for the rate limits.

    Raises:
        InvalidEmail: this is not an e-mail address.
        RateLimited: too many requests of this device.
        TooManyAttempts: too many wrong passwords for this account.
        InvalidCredentials: the password is wrong or was changed in the meantime.
        InvalidToken: the device was revoked in the meantime.
        EmailTaken: another account has this address.
    """
    email = None if typed is None else parse_email(typed)
    attempt = await verify_account_password(services, actor.username, password, address, actor)
    await services.write(reset_attempts, services.index, attempt.account, address)

    def work(session: Session) -> None:
        still_signed_in(session, actor)
        user = session.get_one(User, actor.user_id)
        if user.password_hash != attempt.password_hash:
            raise InvalidCredentials(actor.user_id)
        set_email(session, user, email, services.vault, services.index)

    await services.write(work)


async def send_confirmation(services: Services, actor: Identity, language: Language) -> None:
    """Send an e-mail with a link that confirms the actor's address. It replaces an earlier link.

    Raises:
        EmailUnavailable: the operator configured no SMTP server.
        RateLimited: too many e-mails to this user.
        InvalidEmail: the actor has no e-mail address.
    """
    mailer = _mailer(services)
    await services.rate_limits.check_shared("email", mailbox_of(actor.user_id))

    def work(session: Session) -> Letter:
        token = reset.request_confirmation(session, actor.user_id)
        to = email_of(session.get_one(User, actor.user_id), services.vault)
        if to is None:
            raise InvalidEmail
        return Letter("confirm", language, to, actor.username, f"{services.public_url}/confirm-email#{token}")

    letter = await services.write(work)

    async def written() -> Letter:
        return letter

    mailer.enqueue(written)


async def confirm_email(services: Services, token: str, address: Address) -> None:
    """Confirm the e-mail address that received this token.

    Raises:
        RateLimited: too many requests from this address.
        InvalidConfirmationLink: the token is unknown, was used or replaced, or has expired.
    """
    await services.rate_limits.check_shared("invite", address)
    await services.write(lambda session: reset.confirm(session, token).id)


async def _reset_letter(services: Services, name: str, language: Language) -> Letter | None:
    user_id = await services.read(reset.user_to_email, name, services.index)
    if user_id is None:
        return None
    try:
        await services.rate_limits.check_shared("email", mailbox_of(user_id))
    except RateLimited:
        return None

    def work(session: Session) -> Letter | None:
        # Again, because the address may have changed or a link may have been created meanwhile.
        if reset.user_to_email(session, name, services.index) != user_id:
            return None
        user = session.get_one(User, user_id)
        to = email_of(user, services.vault)
        if to is None:
            return None
        token = reset.request_reset(session, user)
        return Letter("reset", language, to, user.username, f"{services.public_url}/reset#{token}")

    return await services.write(work)


def _mailer(services: Services) -> Mailer:
    if services.mailer is None:
        raise EmailUnavailable
    return services.mailer
