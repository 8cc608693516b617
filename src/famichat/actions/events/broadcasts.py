"""Publishes events to conversations and users, always after the commit."""

from collections.abc import Iterable, Mapping

from famichat.accounts.sign_in.token import Identity
from famichat.actions.events.broadcast_report import report_broadcast
from famichat.actions.events.payloads import (
    ConversationChanged,
    ConversationLeft,
    DeviceRevoked,
    EpochChanged,
    FamilyUpdated,
    KeyPackagesLow,
    KeyRequested,
    KeyShared,
    MarksChanged,
    PersonUpdated,
    PersonView,
    ResetAgreementUpdated,
    ResetAgreementView,
    ResetLinkCreated,
    WelcomeWaiting,
)
from famichat.actions.events.receipt_broadcaster import ReceiptBroadcaster
from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.topic_feed import NEW, UPDATED, TopicFeeds
from famichat.actions.events.topics import ConversationTopic, connections_of_device, connections_of_user, user_topic
from famichat.actions.events.unread import UnreadCounts
from famichat.actions.events.user_news import (
    PERSON_UPDATED,
    RESET_AGREEMENT_UPDATED,
    RESET_LINK_CREATED,
    UserChange,
)
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.messages.change_writer import ChangeResult
from famichat.chat.messages.receipt_batch import AckResult
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.send import SentMessage
from famichat.push.account_notice import AccountNotice
from famichat.push.notifier import PushNotifier
from famichat.realtime.pubsub import PubSub
from famichat.telemetry import emit, events

CONTACT_CHANGED = "contact_changed"
"""An event between nodes and their channels that no client receives."""


class Broadcasts:
    """Publishes events on the topics of this server.

    Args:
        pubsub: delivers to the subscribers, on all nodes.
        feeds: deliver messages and their changes, in order.
        unread: recounts and publishes unread counts, a moment later.
        removals: the members who were removed a moment ago, and must not receive views that were read before.
        push_notifier: notifies devices that do not acknowledge a message within a few seconds, and of password resets.
    """

    def __init__(
        self,
        pubsub: PubSub,
        feeds: TopicFeeds,
        unread: UnreadCounts,
        removals: RecentRemovals,
        push_notifier: PushNotifier,
    ) -> None:
        self._pubsub = pubsub
        self._feeds = feeds
        self._unread = unread
        self._removals = removals
        self._push_notifier = push_notifier
        self._receipts = ReceiptBroadcaster(pubsub)

    def message_sent(self, sent: SentMessage, view: MessageView, received_at: float) -> None:
        """Announce a new message to its conversation, update unread counts, and notify inattentive devices.

        Args:
            sent: the message.
            view: the payload of `new_msg`.
            received_at: when the message arrived, by `time.perf_counter`.
        """
        topic = ConversationTopic(sent.conversation_type, sent.conversation_id)
        report_broadcast(topic, NEW, self._feeds.stored(topic, view), received_at)
        self._unread.changed(sent.conversation_id, message=view)
        self._push_notifier.enqueue(view)

    def message_updated(self, result: ChangeResult) -> None:
        """Announce a changed message to its conversation. Causes no push notification and no unread count."""
        topic = ConversationTopic(result.conversation_type, result.request.conversation_id)
        view = result.view
        report_broadcast(topic, UPDATED, self._feeds.changed(topic, view), result.request.received_at)
        self._unread.last_message_changed(view)

    def acknowledged(self, result: AckResult) -> None:
        """Announce that a device has received or read more of a conversation than before; update its unread count."""
        self._receipts.announce(result)
        if result.request.status == "read":
            self._unread.changed(result.request.conversation_id, result.request.user_id)

    def conversation_created(
        self, topic: ConversationTopic, views: Mapping[str, ConversationView], *, created: bool
    ) -> None:
        """Announce a new conversation to its members; emit telemetry even if it already existed.

        Args:
            topic: the conversation.
            views: the conversation as each member sees it, by user id.
            created: False if it already existed.
        """
        emit(
            events.ConversationCreated(
                conversation_type=topic.type, conversation_id=topic.conversation_id, made=created
            )
        )
        if created:
            self._to_each(views, "conversation_created")

    def conversation_updated(self, views: Mapping[str, ConversationView]) -> None:
        """Announce a changed name, member list or view setting.

        Args:
            views: the conversation as each recipient sees it, by user id.
        """
        self._to_each(views, "conversation_updated")

    def joined(self, user_id: str, views: Mapping[str, ConversationView]) -> None:
        """Announce a conversation to its new member, and the new member to the others.

        Args:
            user_id: the new member.
            views: the conversation as each member sees it, by user id.
        """
        self._removals.discard(user_id, views[user_id]["id"])
        self._to_each({user_id: views[user_id]}, "conversation_created")
        self._to_each({other: view for other, view in views.items() if other != user_id}, "conversation_updated")

    def removed(self, user_id: str, topics: Iterable[ConversationTopic]) -> None:
        """Close a user's channels of conversations on every node, and tell the user's devices."""
        for topic in topics:
            self._removals.add(user_id, topic.conversation_id)
            self._pubsub.evict(str(topic), connections_of_user(user_id))
            left: ConversationLeft = {"conversation_id": topic.conversation_id, "type": topic.type}
            self._pubsub.broadcast(user_topic(user_id), "conversation_left", left)

    def contact_changed(self, topic: ConversationTopic, pair: tuple[str, str], *, hidden: bool) -> None:
        """Tell the channels of two users that they no longer see each other online and typing, or do again.

        The channels keep the event from their clients: see `MessageChannel.should_deliver`.

        Args:
            topic: a conversation of both.
            pair: the two users.
            hidden: whether they no longer see each other.
        """
        self._pubsub.broadcast(str(topic), CONTACT_CHANGED, {"user_ids": list(pair), "hidden": hidden})

    def person_updated(self, viewer_ids: Iterable[str], person: PersonView) -> None:
        """Announce a changed profile to the users who can see that person."""
        payload: PersonUpdated = {"person": person}
        for viewer_id in viewer_ids:
            change = UserChange(viewer_id, PERSON_UPDATED, person["user_id"])
            self._pubsub.broadcast(user_topic(viewer_id), PERSON_UPDATED, payload, announce=change.announcement)

    def family_updated(self, member_ids: Iterable[str], family_id: str) -> None:
        """Announce to the members of a family that a role in it changed."""
        payload: FamilyUpdated = {"family_id": family_id}
        for member_id in member_ids:
            self._pubsub.broadcast(user_topic(member_id), "family_updated", payload)

    def marks_changed(self, user_ids: Iterable[str], conversation_id: str) -> None:
        """Announce to users that the marked messages of a conversation, as they see them, have changed."""
        payload: MarksChanged = {"conversation_id": conversation_id}
        for user_id in user_ids:
            self._pubsub.broadcast(user_topic(user_id), "marks_changed", payload)

    def account_deleted(self, user_id: str, topics: Iterable[ConversationTopic]) -> None:
        """Close all channels and connections of a deleted account, on every node."""
        for topic in topics:
            self._removals.add(user_id, topic.conversation_id)
            self._pubsub.evict(str(topic), connections_of_user(user_id))
        self._pubsub.evict(user_topic(user_id), connections_of_user(user_id))
        self._pubsub.disconnect(connections_of_user(user_id))

    def device_revoked(self, user_id: str, device_id: str) -> None:
        """Close a device's connections on every node, and tell the user's other devices."""
        self._pubsub.disconnect(connections_of_device(device_id))
        payload: DeviceRevoked = {"device_id": device_id}
        self._pubsub.broadcast(user_topic(user_id), "device_revoked", payload)

    def epoch_changed(self, topic: ConversationTopic, payload: EpochChanged) -> None:
        """Announce a new epoch to its conversation; to the other nodes without the commit, which may be large."""
        announced = {"topic": str(topic), "event": "epoch_changed", "payload": {**payload, "commit": None}}
        announcement = "broadcast", announced, (str(topic), payload["generation"], payload["epoch"])
        self._pubsub.broadcast(str(topic), "epoch_changed", payload, announce=announcement)

    def welcome_waiting(self, user_id: str, device_id: str, conversation_id: str) -> None:
        """Tell a device that it was added to an MLS group."""
        payload: WelcomeWaiting = {"conversation_id": conversation_id}
        self._pubsub.broadcast(user_topic(user_id), "welcome", payload, only=connections_of_device(device_id))

    def key_shared(self, user_id: str, device_id: str, conversation_id: str | None) -> None:
        """Tell a device that keys are waiting for it."""
        payload: KeyShared = {"conversation_id": conversation_id}
        self._pubsub.broadcast(user_topic(user_id), "key_share", payload, only=connections_of_device(device_id))

    def keys_requested(self, user_ids: Iterable[str], payload: KeyRequested) -> None:
        """Ask the devices of users for keys; not the device that needs them."""
        asking = connections_of_device(payload["device_id"])
        for user_id in user_ids:
            self._pubsub.broadcast(user_topic(user_id), "key_request", payload, without=asking)

    def key_packages_low(self, user_id: str, device_id: str, count: int) -> None:
        """Tell a device to publish more key packages."""
        payload: KeyPackagesLow = {"device_id": device_id, "count": count}
        self._pubsub.broadcast(user_topic(user_id), "key_packages_low", payload, only=connections_of_device(device_id))

    def reset_link_created(self, user_id: str, by: Identity | None, expires_at: str) -> None:
        """Tell a user's devices that someone else, None for the operator, can reset the password."""
        payload: ResetLinkCreated = {"by_name": None if by is None else by.username, "expires_at": expires_at}
        change = UserChange(user_id, RESET_LINK_CREATED, None if by is None else by.user_id, expires_at)
        self._pubsub.broadcast(user_topic(user_id), RESET_LINK_CREATED, payload, announce=change.announcement)
        self._push_notifier.enqueue_account_notices([AccountNotice(user_id, in_quiet_hours=True)])

    def reset_agreement_updated(
        self, viewer_ids: set[str], family_id: str, user_id: str, agreement: ResetAgreementView | None
    ) -> None:
        """Tell the user concerned and the family's admins what was asked for, agreed to or, if None, cancelled.

        Push notifications go to the user, and to the admins who have to do something: agree, or create the link.
        """
        payload: ResetAgreementUpdated = {"family_id": family_id, "user_id": user_id, "agreement": agreement}
        for viewer_id in viewer_ids:
            change = UserChange(viewer_id, RESET_AGREEMENT_UPDATED, user_id, family_id)
            self._pubsub.broadcast(user_topic(viewer_id), change.event, payload, announce=change.announcement)
        if agreement is not None:
            asked_by = {agreement["asked_by_id"]}
            next_ids = asked_by if agreement["agreed_by_id"] else viewer_ids - {user_id} - asked_by
            notices = [AccountNotice(each, in_quiet_hours=False) for each in next_ids]
            self._push_notifier.enqueue_account_notices([AccountNotice(user_id, in_quiet_hours=True), *notices])

    def _to_each(self, views: Mapping[str, ConversationView], event: str) -> None:
        for user_id, view in views.items():
            if (user_id, view["id"]) not in self._removals:
                payload: ConversationChanged = {"conversation": view}
                change = UserChange(user_id, event, view["id"])
                self._pubsub.broadcast(user_topic(user_id), event, payload, announce=change.announcement)
