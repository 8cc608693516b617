"""Tells the clients of this node what other nodes announce to their users.

Names, bodies and avatars never cross the broker. The node where something changes sends it to its own clients, and
announces to the others only which user should hear about what. Each node that the user is connected to reads it, as
that user may see it now, and sends it to its own clients.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.profile import profiles_of
from famichat.accounts.user import User
from famichat.actions.events.payloads import person_view, reset_agreement_view
from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.topics import connections_of_device, user_topic
from famichat.chat.access import conversation_for
from famichat.chat.conversations.view import conversation_view
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import NotFound
from famichat.chat.families.reset_agreement import pending_reset_of
from famichat.chat.messages.view import message_views
from famichat.chat.records.message import Message
from famichat.push.notification import notices
from famichat.realtime.pubsub import Announcement, PubSub
from famichat.storage.crypto.vault import Vault
from famichat.storage.database import Database
from famichat.storage.halving import without_failures

PERSON_UPDATED, NOTIFICATION = "person_updated", "notification"
RESET_LINK_CREATED, RESET_AGREEMENT_UPDATED = "reset_link_created", "reset_agreement_updated"

_KIND: Final = "user_changed"
_MAX_WAITING = 1000


@dataclass(frozen=True, slots=True)
class UserChange:
    """Something that a user should hear about.

    Attributes:
        user_id: the user.
        event: the event for the user's clients.
        subject_id: the conversation, the person, the creator of a reset link, the user whom a reset agreement concerns,
            or the message of a notification; None for a reset link that the operator created.
        detail: the time when a reset link expires, the family of a reset agreement, or the device that a notification
            is for.
    """

    user_id: str
    event: str
    subject_id: str | None
    detail: str | None = None

    @property
    def announcement(self) -> Announcement:
        """What the other nodes receive. Several of one change are one."""
        return _KIND, {"change": [self.user_id, self.event, self.subject_id, self.detail]}, self


@dataclass(frozen=True, slots=True)
class _Event:
    change: UserChange
    payload: Any


class UserNews:
    """Receives the announcements of other nodes, reads their subjects, and informs the users' clients.

    Args:
        database: has what changed.
        vault: opens bodies.
        policies: which conversation types require ciphertext.
        pubsub: receives the announcements, and delivers.
        removals: users who were removed from conversations a moment ago.
    """

    def __init__(
        self, database: Database, vault: Vault, policies: EncryptionPolicies, pubsub: PubSub, removals: RecentRemovals
    ) -> None:
        self._database = database
        self._vault = vault
        self._policies = policies
        self._pubsub = pubsub
        self._removals = removals
        self._waiting: dict[UserChange, None] = {}
        self._wake = asyncio.Event()
        pubsub.handle(_KIND, self._on_change)

    async def run(self) -> None:
        """Read and deliver the announced changes, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            changes, self._waiting = list(self._waiting), {}
            # What cannot be read now is in the client's next request.
            async for _, events in without_failures("user news", changes, self._read):
                for event in events:
                    self._deliver(event)

    def _on_change(self, message: dict[str, Any]) -> None:
        change = UserChange(*message["change"])
        if self._pubsub.has_subscribers_here(user_topic(change.user_id)) and len(self._waiting) < _MAX_WAITING:
            self._waiting[change] = None
            self._wake.set()

    def _deliver(self, event: _Event) -> None:
        change = event.change
        if (change.user_id, str(change.subject_id)) in self._removals:
            return
        only = None
        if change.event == NOTIFICATION and change.detail is not None:
            only = connections_of_device(change.detail)
        self._pubsub.broadcast_here(user_topic(change.user_id), change.event, event.payload, only=only)

    async def _read(self, changes: Sequence[UserChange]) -> list[_Event]:
        removed = {change for change in changes if (change.user_id, str(change.subject_id)) in self._removals}
        events = await self._database.read(partial(self._events, changes))
        for change in removed.intersection(event.change for event in events):
            self._removals.discard(change.user_id, str(change.subject_id))  # the user is a member again
        return events

    def _events(self, changes: Sequence[UserChange], session: Session) -> list[_Event]:
        notified = self._notifications(session, [each for each in changes if each.event == NOTIFICATION])
        readers: dict[str, Callable[[Session, UserChange], Any]] = {
            PERSON_UPDATED: _person,
            RESET_LINK_CREATED: _reset_link,
            RESET_AGREEMENT_UPDATED: _reset_agreement,
            NOTIFICATION: lambda _, change: notified.get((change.subject_id, change.detail)),
        }

        @cache
        def same_for_all(change: UserChange) -> Any:
            return readers[change.event](session, change)

        def payload_of(change: UserChange) -> Any:
            if change.event in readers:
                return same_for_all(replace(change, user_id=""))
            return self._conversation(session, change)

        payloads = ((change, payload_of(change)) for change in changes)
        return [_Event(change, payload) for change, payload in payloads if payload is not None]

    def _conversation(self, session: Session, change: UserChange) -> Any:
        try:
            access = conversation_for(session, change.user_id, str(change.subject_id))
        except NotFound:
            return None
        return {"conversation": conversation_view(session, access, self._policies, self._vault)}

    def _notifications(self, session: Session, changes: Sequence[UserChange]) -> dict[tuple[Any, Any], Any]:
        """Return the payloads of notifications, by message and device."""
        if not changes:
            return {}
        messages = select(Message).where(Message.id.in_({change.subject_id for change in changes}))
        views = message_views(session, session.execute(messages).scalars().all(), self._vault)
        found = notices(session, views, self._policies)
        return {(each.message["message_id"], each.device_id): each.payload for each in found}


def _person(session: Session, change: UserChange) -> Any:
    found = profiles_of(session, [str(change.subject_id)])
    return {"person": person_view(found[0])} if found else None


def _reset_link(session: Session, change: UserChange) -> Any:
    creator = None if change.subject_id is None else session.get(User, change.subject_id)
    return {"by_name": None if creator is None else creator.username, "expires_at": change.detail}


def _reset_agreement(session: Session, change: UserChange) -> Any:
    user_id, family_id = str(change.subject_id), str(change.detail)
    pending = pending_reset_of(session, user_id)
    agreement = None if pending is None or pending.family_id != family_id else reset_agreement_view(pending)
    return {"family_id": family_id, "user_id": user_id, "agreement": agreement}
