"""Confirming an e-mail address, and resetting a forgotten password with an e-mail to it."""

from functools import partial

from sqlalchemy.orm import Session

from famichat.accounts.errors import EmailUnavailable, InvalidEmail
from famichat.accounts.sign_in import reset
from famichat.accounts.sign_in.token import Identity
from famichat.accounts.user import User, email_of
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
    mailer = _mailer(services)
    await services.rate_limits.check_shared("invite", address)
    mailer.enqueue(partial(_reset_letter, services, name, language))


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
    user_id = await services.read(lambda session: reset.user_to_email(session, name, services.index))
    if user_id is None:
        return None
    try:
        await services.rate_limits.check_shared("email", mailbox_of(user_id))
    except RateLimited:
        return None

    def work(session: Session) -> Letter | None:
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
