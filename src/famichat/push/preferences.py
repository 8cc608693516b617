"""Notification preferences: how much a notification shows, and quiet hours.

Quiet hours are evaluated by the server's clock in the user's time zone, so they follow local time, including daylight
saving time.
"""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Id, Updated

Content = Literal["none", "sender", "full"]
_MAX_ZONE = 64


class StoredPushPreferences(Base):
    """The stored preferences of one user. Without a row, the defaults apply. Times have the form `22:00`."""

    __tablename__ = "push_choices"
    __table_args__ = (
        CheckConstraint("content IN ('none', 'sender', 'full')", name="content"),
        CheckConstraint(
            "(quiet_from IS NULL) = (quiet_until IS NULL) AND (quiet_from IS NULL) = (time_zone IS NULL)", name="quiet"
        ),
    )

    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[Content] = mapped_column(String(8), default="none")
    quiet_from: Mapped[str | None] = mapped_column(String(5))
    quiet_until: Mapped[str | None] = mapped_column(String(5))
    time_zone: Mapped[str | None] = mapped_column(String(_MAX_ZONE))
    updated_at: Mapped[Updated]


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily period without notifications, local to a time zone. It spans midnight if `until` is earlier."""

    from_: time
    until: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, from_: str, until: str, zone: str) -> "QuietHours":
        """Parse quiet hours such as `22:00`, `07:00`, `Europe/Stockholm`.

        Raises:
            ValueError: a time or the time zone is invalid, or start and end are equal.
        """
        hours = cls(time.fromisoformat(from_), time.fromisoformat(until), _zone(zone))
        if hours.from_ == hours.until:
            raise ValueError("quiet hours need different start and end times")
        return hours

    def contain(self, timestamp: datetime) -> bool:
        """Return whether a timestamp lies within the quiet hours."""
        here = timestamp.astimezone(self.zone).time()
        if self.from_ < self.until:
            return self.from_ <= here < self.until
        return here >= self.from_ or here < self.until


@dataclass(frozen=True, slots=True)
class PushPreferences:
    """Notification preferences of one user: how much to show, and when to stay silent."""

    content: Content = "none"
    quiet_hours: QuietHours | None = None

    def is_quiet(self, timestamp: datetime) -> bool:
        """Return whether notifications are silenced at this time."""
        return self.quiet_hours is not None and self.quiet_hours.contain(timestamp)


def preferences_of(session: Session, user_id: str) -> PushPreferences:
    """Return a user's preferences."""
    return preferences_in(session.get(StoredPushPreferences, user_id))


def preferences_in(record: StoredPushPreferences | None) -> PushPreferences:
    """Return the preferences in a row, or the defaults if there is none."""
    if record is None:
        return PushPreferences()
    if record.quiet_from is None or record.quiet_until is None or record.time_zone is None:
        return PushPreferences(record.content)
    return PushPreferences(record.content, QuietHours.parse(record.quiet_from, record.quiet_until, record.time_zone))


def change_preferences(session: Session, user_id: str, chosen: PushPreferences) -> None:
    """Replace a user's preferences."""
    quiet = chosen.quiet_hours
    record = session.get(StoredPushPreferences, user_id) or StoredPushPreferences(user_id=user_id)
    record.content = chosen.content
    record.quiet_from = None if quiet is None else f"{quiet.from_:%H:%M}"
    record.quiet_until = None if quiet is None else f"{quiet.until:%H:%M}"
    record.time_zone = None if quiet is None else quiet.zone.key
    session.add(record)
    session.flush()


def _zone(name: str) -> ZoneInfo:
    if len(name) > _MAX_ZONE:
        raise ValueError("there is no such time zone")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "Europe" is a directory
        raise ValueError("there is no such time zone") from error
