"""Notices to devices that are not listening: whether this device gets them, and what they say."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import still_signed_in
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.push.preferences import Content, PushPreferences, QuietHours, change_preferences, preferences_of
from famichat.push.subscription import Subscription, is_subscribed, subscribe, unsubscribe

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
    """What `PushSubscription.toJSON()` gives in a browser."""

    endpoint: _Text
    keys: SubscriptionKeys
    expirationTime: float | None = None  # noqa: N815 - the browser's own word

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        self.understood()
        return self

    def understood(self) -> Subscription:
        """The same, as the server keeps it."""
        return Subscription.parse(self.endpoint, self.keys.p256dh, self.keys.auth)


class Hours(_Request):
    """From when to when no device rings; over midnight, if `until` is earlier. On the clocks of `time_zone`."""

    from_: _Clock = Field(alias="from")
    until: _Clock
    time_zone: str = Field(max_length=64, description="Such as `Europe/Stockholm`.")

    @model_validator(mode="after")
    def _exist(self) -> Self:
        self.understood()
        return self

    def understood(self) -> QuietHours:
        """The same, as the server keeps it."""
        return QuietHours.parse(self.from_, self.until, self.time_zone)


class PushView(BaseModel):
    """Whether this device is rung, and what the person has chosen for all devices."""

    subscribed: bool
    content: Content
    quiet_hours: Hours | None


class NewChoices(_Request):
    """What is to change; what is left out stays. `quiet_hours: null` ends them."""

    content: Content | None = None
    quiet_hours: Hours | None = None


class TestView(BaseModel):
    """What came of a test. `status` is the push service's, if it answered."""

    outcome: Literal["sent", "not_subscribed", "gone", "busy", "refused", "unreachable", "forbidden_address"]
    status: int | None = None


@router.get("/push/key", summary="The key to subscribe with")
async def key(_caller: Caller, context: InContext) -> KeyView:
    """Say by which key push services know this server."""
    return KeyView(public_key=context.push_key)


@router.get("/me/push", summary="How am I notified?")
async def show(caller: Caller, context: InContext) -> PushView:
    """Say whether the caller's device is rung, and what was chosen."""
    return await context.database.read(lambda session: _view(session, caller.user_id, caller.device_id))


@router.patch("/me/push", summary="Choose what notices say, and quiet hours")
async def change(body: NewChoices, caller: Caller, context: InContext) -> PushView:
    """Choose for all of the caller's devices."""

    def work(session: Session) -> PushView:
        still_signed_in(session, caller)
        before = preferences_of(session, caller.user_id)
        quiet = body.quiet_hours.understood() if body.quiet_hours is not None else None
        kept = quiet if "quiet_hours" in body.model_fields_set else before.quiet_hours
        change_preferences(session, caller.user_id, PushPreferences(body.content or before.content, kept))
        return _view(session, caller.user_id, caller.device_id)

    return await context.database.transaction(work)


@router.put("/me/push", status_code=204, summary="Notify this device")
async def put(body: SubscriptionRequest, caller: Caller, context: InContext) -> None:
    """Let the caller's device be rung. Replaces what it gave before, also when its browser changes the subscription."""
    given = body.understood()

    def work(session: Session) -> None:
        still_signed_in(session, caller)
        subscribe(session, caller.device_id, given, context.vault, context.index)

    await context.database.transaction(work)


@router.delete("/me/push", status_code=204, summary="Do not notify this device any more")
async def delete(caller: Caller, context: InContext) -> None:
    """Ring the caller's device no more."""
    await context.database.transaction(lambda session: unsubscribe(session, caller.device_id))


@router.post("/me/push/test", summary="Send me a test")
async def test(caller: Caller, context: InContext) -> TestView:
    """Ring the caller's device now, also in quiet hours, and say what its push service answered."""
    context.rate_limits.check("push_test", caller)
    answer = await context.push_notifier.test(caller.device_id)
    if answer is None:
        return TestView(outcome="not_subscribed")
    return TestView(outcome=answer.outcome, status=answer.status)


def _view(session: Session, user_id: str, device_id: str) -> PushView:
    chosen = preferences_of(session, user_id)
    return PushView(
        subscribed=is_subscribed(session, device_id), content=chosen.content, quiet_hours=_hours(chosen.quiet_hours)
    )


def _hours(quiet: QuietHours | None) -> Hours | None:
    if quiet is None:
        return None
    written = {"from": f"{quiet.from_:%H:%M}", "until": f"{quiet.until:%H:%M}", "time_zone": quiet.zone.key}
    return Hours.model_validate(written)
