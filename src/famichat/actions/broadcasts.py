"""Tells a conversation, and its people, what just happened: always after the commit, and the same from every door."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from famichat.actions.recent_removals import RecentRemovals
from famichat.actions.topics import ConversationTopic, connections_of_device, connections_of_user, user_topic
from famichat.actions.unread import UnreadCounts
from famichat.chat.messages.change_writer import ChangeResult
from famichat.chat.messages.receipt_writer import AckResult
from famichat.chat.messages.send import Announce
from famichat.push.notifier import PushNotifier
from famichat.realtime.pubsub import PubSub
from famichat.telemetry import emit, events

BUDGET_SECONDS = 0.2


class Broadcasts:
    """What is said on the topics of this server.

    Args:
        pubsub: carries it to every subscriber, on all nodes.
        unread: tells people how much they have not read, a moment later.
        departures: who must not be told what was read before they went.
        push_notifier: rings the devices that do not listen, a moment later.
    """

    def __init__(
        self, pubsub: PubSub, unread: UnreadCounts, departures: RecentRemovals, push_notifier: PushNotifier
    ) -> None:
        self._pubsub = pubsub
        self._unread = unread
        self._departures = departures
        self._push_notifier = push_notifier

    def message(self, topic: ConversationTopic, received_at: float) -> Announce:
        """How to announce the message that was received at `received_at` (of `time.perf_counter`)."""

        def announce(view: dict[str, Any]) -> None:
            self._to_conversation(topic, "new_msg", view, received_at)
            self._unread.changed(topic.conversation_id)
            self._push_notifier.said(view)

        return announce

    def message_updated(self, changed: ChangeResult) -> None:
        """Tell a conversation how a message is from now on. Nobody is rung, and nothing becomes unread by it."""
        topic = ConversationTopic(changed.conversation_type, changed.asked.conversation_id)
        self._to_conversation(topic, "message_updated", changed.view, changed.asked.received_at)

    def acknowledged(self, topic: ConversationTopic, received_at: float) -> Callable[[AckResult], None]:
        """How to announce that a device is further in a conversation than it was."""

        def announce(written: AckResult) -> None:
            asked, others = written.asked, written.for_others
            own = connections_of_user(asked.user_id)
            if others == asked.status:
                self._to_conversation(topic, "message_status", written.view(others), received_at)
            else:
                self._to_conversation(topic, "message_status", written.view(asked.status), received_at, only=own)
                if others is not None:
                    self._to_conversation(topic, "message_status", written.view(others), received_at, without=own)
            if asked.status == "read":
                self._unread.changed(topic.conversation_id, asked.user_id)

        return announce

    def conversation_created(
        self, topic: ConversationTopic, views: Mapping[str, dict[str, Any]], *, made: bool
    ) -> None:
        """Tell each member's devices of a new conversation, as that member sees it; nobody, if it was there already.

        Args:
            topic: the conversation.
            views: the conversation as each member sees it, by user id.
            made: whether it is new.
        """
        emit(events.ConversationCreated(conversation_type=topic.type, conversation_id=topic.conversation_id, made=made))
        if made:
            self._to_each(views, "conversation_created")

    def conversation_updated(self, views: Mapping[str, dict[str, Any]]) -> None:
        """Tell each member's devices that a conversation has changed: its name, its members, or that member's view."""
        self._to_each(views, "conversation_updated")

    def joined(self, user_id: str, views: Mapping[str, dict[str, Any]]) -> None:
        """Tell somebody's devices of a conversation that this person has come into, and the others of the newcomer."""
        self._departures.came(user_id, views[user_id]["id"])
        self._to_each({user_id: views[user_id]}, "conversation_created")
        self._to_each({other: view for other, view in views.items() if other != user_id}, "conversation_updated")

    def removed(self, user_id: str, topics: Iterable[ConversationTopic]) -> None:
        """Put somebody out of conversations: their channels end at once, on every node, and their devices are told."""
        for topic in topics:
            self._departures.went(user_id, topic.conversation_id)
            self._pubsub.evict(str(topic), connections_of_user(user_id))
            left = {"conversation_id": topic.conversation_id, "type": topic.type}
            self._pubsub.broadcast(user_topic(user_id), "conversation_left", left)

    def person_updated(self, viewer_ids: Iterable[str], person: Mapping[str, Any]) -> None:
        """Tell the devices of everybody who sees a person how this person is shown from now on."""
        told = {"person": dict(person)}
        for viewer_id in viewer_ids:
            self._pubsub.broadcast(user_topic(viewer_id), "person_updated", told)

    def account_deleted(self, user_id: str, topics: Iterable[ConversationTopic]) -> None:
        """End everything that somebody has open, on every node: the account is gone."""
        for topic in topics:
            self._departures.went(user_id, topic.conversation_id)
            self._pubsub.evict(str(topic), connections_of_user(user_id))
        self._pubsub.evict(user_topic(user_id), connections_of_user(user_id))
        self._pubsub.disconnect(connections_of_user(user_id))

    def device_revoked(self, user_id: str, device_id: str) -> None:
        """Close what a device has open, on every node, and tell its person's other devices."""
        self._pubsub.disconnect(connections_of_device(device_id))
        self._pubsub.broadcast(user_topic(user_id), "device_revoked", {"device_id": device_id})

    def _to_each(self, views: Mapping[str, dict[str, Any]], event: str) -> None:
        for user_id, view in views.items():
            if not self._departures.just_went(user_id, view["id"]):
                self._pubsub.broadcast(user_topic(user_id), event, {"conversation": view})

    def _to_conversation(
        self,
        topic: ConversationTopic,
        event: str,
        payload: dict[str, Any],
        received_at: float,
        *,
        only: str | None = None,
        without: str | None = None,
    ) -> None:
        """Tell the people in a conversation, and measure how long that took since its cause arrived."""
        self._pubsub.broadcast(str(topic), event, payload, only=only, without=without)
        elapsed = time.perf_counter() - received_at
        emit(
            events.MessageBroadcast(
                conversation_type=topic.type,
                conversation_id=topic.conversation_id,
                event=event,
                payload_bytes=len((payload.get("body") or "").encode()),
                since_receipt_seconds=elapsed,
            )
        )
        if elapsed > BUDGET_SECONDS:
            emit(
                events.BroadcastOverBudget(
                    conversation_type=topic.type, since_receipt_seconds=elapsed, budget_seconds=BUDGET_SECONDS
                )
            )
