"""Push notifications: subscribe this device, and choose what notifications say and when they are silent."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from famichat.actions.accounts import push
from famichat.actions.accounts.push import PushPreferencesRequest, PushSettings
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.push.preferences import Content, QuietHours
from famichat.push.subscription import Subscription

router = api_router("", "push")

_Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_Text = Annotated[str, StringConstraints(max_length=2048)]


class KeyView(BaseModel):
    """What a browser needs to subscribe: `applicationServerKey`, in base64url."""

    public_key: str


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SubscriptionKeys(_Request):
    """The keys of a subscription, in base64url."""

    p256dh: _Text
    auth: _Text


class SubscriptionRequest(_Request):
    """The result of the browser's `PushSubscription.toJSON()`."""

    endpoint: _Text
    keys: SubscriptionKeys
    expirationTime: float | None = None  # noqa: N815 - the browser's name

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        self.subscription()
        return self

    def subscription(self) -> Subscription:
        """Convert to the server's own type."""
        return Subscription.parse(self.endpoint, self.keys.p256dh, self.keys.auth)


class Hours(_Request):
    """Quiet hours in `time_zone`; past midnight if `until` is earlier than `from`."""

    from_: _Clock = Field(alias="from")
    until: _Clock
    time_zone: str = Field(max_length=64, description="Such as `Europe/Stockholm`.")

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        self.quiet_hours()
        return self

    def quiet_hours(self) -> QuietHours:
        """Convert to the server's own type."""
        return QuietHours.parse(self.from_, self.until, self.time_zone)


class PushView(BaseModel):
    """Whether this device is subscribed, and the user's preferences for all devices."""

    subscribed: bool
    content: Content
    quiet_hours: Hours | None


class PreferencesPatch(_Request):
    """The preferences to change; missing ones stay as they are. `quiet_hours: null` turns quiet hours off."""

    content: Content | None = None
    quiet_hours: Hours | None = None

    def request(self) -> PushPreferencesRequest:
        """The preferences that the client sent."""
        changes: PushPreferencesRequest = {}
        if self.content is not None:
            changes["content"] = self.content
        if "quiet_hours" in self.model_fields_set:
            changes["quiet_hours"] = None if self.quiet_hours is None else self.quiet_hours.quiet_hours()
        return changes


class TestView(BaseModel):
    """The result of a test. `status` is the push service's HTTP status, if it answered."""

    outcome: Literal["sent", "not_subscribed", "gone", "busy", "refused", "unreachable", "forbidden_address"]
    status: int | None = None


@router.get("/push/key", summary="Get the VAPID key")
async def key(_caller: Caller, context: InContext) -> KeyView:
    """Return the public key by which push services know this server (RFC 8292)."""
    return KeyView(public_key=context.push_key)


@router.get("/me/push", summary="Show my notification settings")
async def show(caller: Caller, context: InContext) -> PushView:
    """Return whether the caller's device is subscribed, and the caller's preferences."""
    return _view(await push.read_push_settings(context, caller))


@router.patch("/me/push", summary="Change my notification settings")
async def change(body: PreferencesPatch, caller: Caller, context: InContext) -> PushView:
    """Change what notifications say, and quiet hours, for all of the caller's devices."""
    return _view(await push.change_push_preferences(context, caller, body.request()))


@router.put("/me/push", status_code=204, summary="Subscribe this device")
async def put(body: SubscriptionRequest, caller: Caller, context: InContext) -> None:
    """Send push notifications to the caller's device. Replaces an earlier subscription of this device."""
    await push.subscribe_device(context, caller, body.subscription())


@router.delete("/me/push", status_code=204, summary="Unsubscribe this device")
async def delete(caller: Caller, context: InContext) -> None:
    """Stop sending push notifications to the caller's device."""
    await push.unsubscribe_device(context, caller)


@router.post("/me/push/test", summary="Send a test notification")
async def test(caller: Caller, context: InContext) -> TestView:
    """Send a notification to the caller's device now, even in quiet hours, and return the push service's answer."""
    response = await push.send_test_notification(context, caller)
    if response is None:
        return TestView(outcome="not_subscribed")
    return TestView(outcome=response.outcome, status=response.status)


def _view(settings: PushSettings) -> PushView:
    preferences = settings.preferences
    return PushView(
        subscribed=settings.subscribed, content=preferences.content, quiet_hours=_hours(preferences.quiet_hours)
    )


def _hours(quiet: QuietHours | None) -> Hours | None:
    if quiet is None:
        return None
    fields = {"from": f"{quiet.from_:%H:%M}", "until": f"{quiet.until:%H:%M}", "time_zone": quiet.zone.key}
    return Hours.model_validate(fields)
