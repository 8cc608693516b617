"""Changes and confirms e-mail addresses, and sends an e-mail to users who forgot their password."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from famichat.actions.accounts import email
from famichat.endpoint.http.client_ip import ClientAddress
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.sessions import Password
from famichat.mail.texts import Language

router = api_router("", "sessions")


class ConfirmationRequest(BaseModel):
    """The language of the e-mail."""

    model_config = ConfigDict(extra="forbid")

    language: Language = "en"


class EmailChange(BaseModel):
    """The new address, or null to remove it, and the caller's password."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(max_length=320)] | None
    current_password: Password


class EmailResetRequest(ConfirmationRequest):
    """The account, by username or e-mail address, and the language of the e-mail."""

    name: Annotated[str, Field(max_length=320)]


class ConfirmationToken(BaseModel):
    """The token of the link."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(max_length=512)]


@router.post("/password-reset", status_code=204, summary="Send an e-mail to reset a password")
async def request_reset(body: EmailResetRequest, context: InContext, address: ClientAddress) -> None:
    """Send a link to set a new password, if the account exists and its address is confirmed. The response is the same.

    Raises:
        EmailUnavailable: this server sends no e-mail.
        RateLimited: too many requests from this address.
    """
    await email.request_reset_by_email(context, body.name, body.language, address)


@router.put("/me/email", status_code=204, summary="Change my e-mail address")
async def put_email(body: EmailChange, caller: Caller, context: InContext, address: ClientAddress) -> None:
    """Change or remove the caller's e-mail address. The new address is not confirmed.

    Raises:
        RateLimited, TooManyAttempts: too many passwords were tried.
        InvalidCredentials: the password is wrong or was changed in the meantime.
        InvalidEmail: this is not an e-mail address.
        EmailTaken: another account has this address.
    """
    await email.change_email(context, caller, body.email, body.current_password, address)


@router.post("/me/email/confirmation", status_code=204, summary="Send an e-mail to confirm my address")
async def send_confirmation(body: ConfirmationRequest, caller: Caller, context: InContext) -> None:
    """Send a link that confirms the caller's e-mail address. It works once, within an hour.

    Raises:
        EmailUnavailable: this server sends no e-mail.
        RateLimited: too many e-mails to this user.
        InvalidEmail: the caller has no e-mail address.
    """
    await email.send_confirmation(context, caller, body.language)


@router.put("/email-confirmation", status_code=204, summary="Confirm an e-mail address with a link")
async def confirm(body: ConfirmationToken, context: InContext, address: ClientAddress) -> None:
    """Confirm the e-mail address that received the link.

    Raises:
        RateLimited: too many requests from this address.
        InvalidConfirmationLink: the link is unknown, was used or replaced, or has expired.
    """
    await email.confirm_email(context, body.token, address)
