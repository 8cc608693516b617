"""The caller's own account."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from famichat.accounts.privacy import PrivacySettings
from famichat.accounts.user import User, email_of
from famichat.actions.accounts import account
from famichat.actions.accounts.privacy import change_privacy
from famichat.actions.events.payloads import profile_view
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.endpoint.http.client_ip import ClientAddress
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.families import FamilyView, family_view
from famichat.endpoint.schemas.people import ProfileFields
from famichat.endpoint.schemas.sessions import Password, PasswordRequest
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError

router = api_router("/me", "me")


class NoticesView(BaseModel):
    """What other people see of the user: how far messages were read, typing, and presence."""

    read: bool
    typing: bool
    presence: bool


class MeView(ProfileFields):
    """The caller's account, with the fields only its owner sees."""

    id: str
    email: str | None
    confirmed_at: Timestamp | None
    last_login_at: Timestamp | None
    inserted_at: Timestamp
    device_id: str
    families: list[FamilyView]
    notices: NoticesView
    error_code: Literal[603] | None = Field(None, description="Present only if the stored address cannot be decrypted.")


class NoticesRequest(BaseModel):
    """The settings to change; missing ones stay as they are."""

    model_config = ConfigDict(extra="forbid", strict=True)

    read: bool | None = None
    typing: bool | None = None
    presence: bool | None = None


class PrivacyView(BaseModel):
    """What other people see of the user's activity."""

    read_receipts: bool
    typing_indicators: bool
    presence: bool


class PrivacyRequest(NoticesRequest):
    """The settings to change; missing ones stay as they are. `read` and `typing` are the names of `/me/notices`."""

    read_receipts: bool | None = Field(None, description="Whether other people see which messages the user has read.")
    typing_indicators: bool | None = Field(None, description="Whether other people see that the user is typing.")

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if None not in {self.read, self.read_receipts} or None not in {self.typing, self.typing_indicators}:
            raise ValueError("give each setting under one name only")
        return self


class PasswordChange(BaseModel):
    """A new password, and the present one again."""

    model_config = ConfigDict(extra="forbid")

    current_password: Password
    new_password: Password
    sign_out_other_devices: bool = Field(
        default=False, description="Also sign out the caller's other devices and delete all passkeys."
    )


@router.get("", summary="Show my account", response_model_exclude_unset=True)
async def me(caller: Caller, context: InContext) -> MeView:
    """Return the caller's account, device and families."""
    found = await account.read_account(context, caller)
    user = found.user
    return MeView(
        **_email(user, context.vault),
        id=user.id,
        **profile_view(found.profile),
        confirmed_at=user.confirmed_at,
        last_login_at=user.last_login_at,
        inserted_at=user.inserted_at,
        device_id=caller.device_id,
        families=[family_view(each) for each in found.families],
        notices=_notices_view(found.privacy),
    )


@router.patch("/privacy", summary="Change my privacy settings")
async def patch_privacy(body: PrivacyRequest, caller: Caller, context: InContext) -> PrivacyView:
    """Change whether other people see what the caller has read, is typing, and is online; at once, on all devices."""
    settings = await change_privacy(
        context,
        caller,
        read_receipts=body.read if body.read_receipts is None else body.read_receipts,
        typing_indicators=body.typing if body.typing_indicators is None else body.typing_indicators,
        presence=body.presence,
    )
    return PrivacyView(
        read_receipts=settings.read_receipts,
        typing_indicators=settings.typing_indicators,
        presence=settings.presence,
    )


@router.patch("/notices", summary="Change my privacy settings, under their earlier names")
async def patch_notices(body: NoticesRequest, caller: Caller, context: InContext) -> NoticesView:
    """Change the same settings as `PATCH /me/privacy`."""
    settings = await change_privacy(
        context, caller, read_receipts=body.read, typing_indicators=body.typing, presence=body.presence
    )
    return _notices_view(settings)


@router.put("/password", status_code=204, summary="Change my password")
async def put_password(body: PasswordChange, caller: Caller, context: InContext, address: ClientAddress) -> None:
    """Change the caller's password. Other devices stay signed in, unless the caller asks to sign them out.

    Raises:
        RateLimited, TooManyAttempts: too many passwords were tried.
        InvalidCredentials: the current password is wrong or was changed in the meantime.
        WeakPassword: the new password is too easy to guess.
    """
    await account.change_password(
        context,
        caller,
        body.current_password,
        body.new_password,
        address,
        sign_out_others=body.sign_out_other_devices,
    )


@router.delete("", status_code=204, summary="Delete my account")
async def delete_me(body: PasswordRequest, caller: Caller, context: InContext, address: ClientAddress) -> None:
    """Delete the caller's account and everything except messages sent to other people. Cannot be undone.

    Raises:
        RateLimited, TooManyAttempts: too many passwords were tried.
        InvalidCredentials: the password is wrong or was changed in the meantime.
        LastAdmin: a family or group with other members would have no admin.
    """
    await account.delete_account(context, caller, body.password, address)


def _email(user: User, vault: Vault) -> dict[str, Any]:
    """Return the e-mail address; one that cannot be decrypted must not hide the rest of the account."""
    try:
        return {"email": email_of(user, vault)}
    except UnsealError:
        return {"email": None, "error_code": int(EncryptionErrorCode.DECRYPTION_FAILURE)}


def _notices_view(settings: PrivacySettings) -> NoticesView:
    return NoticesView(read=settings.read_receipts, typing=settings.typing_indicators, presence=settings.presence)
