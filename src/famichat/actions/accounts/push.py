"""Subscribe devices to push notifications and change a user's notification preferences."""

from dataclasses import dataclass
from typing import TypedDict

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.services import Services
from famichat.push.preferences import Content, PushPreferences, QuietHours, change_preferences, preferences_of
from famichat.push.response import PushResponse
from famichat.push.subscription import Subscription, is_subscribed, subscribe, unsubscribe


class PushPreferencesRequest(TypedDict, total=False):
    """The preferences to change; missing ones stay as they are. `quiet_hours=None` turns quiet hours off."""

    content: Content
    quiet_hours: QuietHours | None


@dataclass(frozen=True, slots=True)
class PushSettings:
    """Whether the current device is subscribed, and the user's preferences for all devices."""

    subscribed: bool
    preferences: PushPreferences


async def read_push_settings(services: Services, actor: Identity) -> PushSettings:
    """Return whether the actor's device is subscribed, and the actor's preferences."""
    return await services.read(_settings, actor)


async def change_push_preferences(services: Services, actor: Identity, request: PushPreferencesRequest) -> PushSettings:
    """Change the notification preferences for all of the actor's devices.

    Raises:
        InvalidToken: the device was revoked in the meantime.
    """

    def work(session: Session) -> PushSettings:
        still_signed_in(session, actor)
        before = preferences_of(session, actor.user_id)
        preferences = PushPreferences(
            request.get("content", before.content), request.get("quiet_hours", before.quiet_hours)
        )
        change_preferences(session, actor.user_id, preferences)
        return _settings(session, actor)

    return await services.write(work)


async def subscribe_device(services: Services, actor: Identity, subscription: Subscription) -> None:
    """Send push notifications to the actor's device. Replaces an earlier subscription of the device.

    Raises:
        InvalidToken: the device was revoked in the meantime.
    """

    def work(session: Session) -> None:
        still_signed_in(session, actor)
        subscribe(session, actor.device_id, subscription, services.vault, services.index)

    await services.write(work)


async def unsubscribe_device(services: Services, actor: Identity) -> None:
    """Stop sending push notifications to the actor's device."""
    await services.write(unsubscribe, actor.device_id)


async def send_test_notification(services: Services, actor: Identity) -> PushResponse | None:
    """Send a test notification to the actor's device now, even in quiet hours.

    Returns:
        the push service's answer, or None if the device is not subscribed.

    Raises:
        RateLimited: too many tests.
    """
    services.rate_limits.check("push_test", actor)
    return await services.push_notifier.test(actor.device_id)


def _settings(session: Session, actor: Identity) -> PushSettings:
    return PushSettings(is_subscribed(session, actor.device_id), preferences_of(session, actor.user_id))
