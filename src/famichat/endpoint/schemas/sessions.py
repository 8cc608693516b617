"""JSON schemas of sign-in requests and sessions."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from famichat.accounts.device import DeviceKind, NewDevice
from famichat.accounts.idempotency import KeyedRequest
from famichat.accounts.sign_in.password import MAX_PASSWORD
from famichat.accounts.sign_in.token import ACCESS_TOKEN_SECONDS
from famichat.actions.accounts.sessions import DeviceSession
from famichat.actions.events.payloads import profile_view
from famichat.endpoint.schemas.people import ProfileFields

Password = Annotated[str, Field(max_length=MAX_PASSWORD)]


class DeviceRequest(BaseModel):
    """The device to sign in on. Only its owner and family admins see `device_name`; contacts see `device_kind`."""

    model_config = ConfigDict(extra="forbid")

    device_name: str = "A device"
    device_kind: DeviceKind | None = None

    def device(self, key: str | None) -> NewDevice:
        """Return the device to add, or to find again if `key` is the idempotency key of a repeated request."""
        return NewDevice(self.device_name, self.device_kind, KeyedRequest.of(key, "session"))


class PasswordRequest(BaseModel):
    """The caller's password, required again for an action with lasting effects."""

    model_config = ConfigDict(extra="forbid")

    password: Password


class UserView(ProfileFields):
    """The user who is signed in."""

    id: str


class SessionView(BaseModel):
    """A signed-in device. `expires_in` is the access token's lifetime in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str
    user: UserView
    device_id: str


class NewMemberSessionView(SessionView):
    """A session of a new account, with the family the account joined."""

    family_id: str


def session_view(started: DeviceSession) -> SessionView:
    """Return a session as its device sees it."""
    identity = started.identity
    return SessionView(
        access_token=started.access_token,
        expires_in=ACCESS_TOKEN_SECONDS,
        refresh_token=started.refresh_token,
        user=UserView(id=identity.user_id, **profile_view(started.profile)),
        device_id=identity.device_id,
    )


def new_member_session_view(started: DeviceSession, family_id: str) -> NewMemberSessionView:
    """Return the session of a new account as its device sees it."""
    return NewMemberSessionView(**session_view(started).model_dump(), family_id=family_id)
