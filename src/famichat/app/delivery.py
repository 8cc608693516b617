"""Builds what carries news to clients after a commit: pub/sub, presence, broadcasts and push notifications."""

from dataclasses import dataclass
from functools import partial

from famichat.actions.events.broadcasts import Broadcasts
from famichat.actions.events.head_broadcaster import HeadBroadcaster
from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.removed_access import RemovedAccessReader
from famichat.actions.events.topic_feed import TopicFeeds
from famichat.actions.events.unread import UnreadCounts
from famichat.actions.events.user_news import UserNews
from famichat.actions.notifications import show_in_tabs
from famichat.app.lifecycle import Lifecycle
from famichat.app.persistence import Persistence
from famichat.push.client import PushClient
from famichat.push.notifier import PushNotifier
from famichat.push.sender import PushServices
from famichat.push.vapid import Vapid
from famichat.realtime.broker import Broker, BrokerClient
from famichat.realtime.broker_envelope import BrokerEnvelope
from famichat.realtime.lease import Lease
from famichat.realtime.presence import Presence
from famichat.realtime.pubsub import PubSub
from famichat.settings import Settings
from famichat.storage.epoch import namespace

_PRESENCE_PERIOD_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Delivery:
    """What carries news to the clients of all nodes.

    Attributes:
        pubsub: delivers to the clients of this node, and through the broker to those of other nodes.
        feeds: deliver the messages of all nodes to the clients of this one.
        presence: who is online.
        broadcasts: what actions call after their commit.
        push_notifier: notifies devices that do not acknowledge a message.
        push_key: the VAPID public key that browsers subscribe with.
    """

    pubsub: PubSub
    feeds: TopicFeeds
    presence: Presence
    broadcasts: Broadcasts
    push_notifier: PushNotifier
    push_key: str


async def build_pubsub(
    settings: Settings, persistence: Persistence, lifecycle: Lifecycle, lease: Lease | None
) -> PubSub:
    """Connect to the broker that other nodes use, unless there can be none.

    Args:
        settings: the URL of the broker.
        persistence: the deployment, and the key that its nodes share.
        lifecycle: runs the broker.
        lease: see `PubSub`.

    Raises:
        StorageUnavailable: the database did not answer.
    """
    url = settings.effective_pubsub_url
    if url is None:
        return PubSub(lease=lease)
    name = await persistence.database.read(namespace)
    broker = Broker(broker_client(url, name), BrokerEnvelope(persistence.secret_key, name))
    lifecycle.start("broker", broker.run)
    return PubSub(broker, lease)


def broker_client(url: str, name: str) -> BrokerClient:
    """Return the client for the service that a URL names.

    Args:
        url: see `FAMICHAT_PUBSUB_URL` in docs/running.md.
        name: the namespace of the deployment.
    """
    if url.startswith("postgresql://"):
        from famichat.realtime.postgres_broker import PostgresClient  # noqa: PLC0415 - psycopg is an extra

        return PostgresClient(url, name)
    if url.startswith("nats://"):
        from famichat.realtime.nats_broker import NatsClient  # noqa: PLC0415 - nats-py is an extra

        return NatsClient(url, name)
    from famichat.realtime.redis_broker import RedisClient  # noqa: PLC0415 - a large library of an extra

    return RedisClient(url, name)


async def build_delivery(
    settings: Settings, persistence: Persistence, pubsub: PubSub, lifecycle: Lifecycle, lease: Lease | None
) -> Delivery:
    """Build what carries news to clients.

    Args:
        settings: the push service's contact and address rules.
        persistence: where subscriptions and unread counts are.
        pubsub: carries the broadcasts.
        lifecycle: runs the background tasks, and stops them when the process stops.
        lease: the lease of `pubsub`. With one, also apply removed access, announce conversation heads and this node's
            presence, and catch up on notifications, as a server does.

    Raises:
        StorageUnavailable: the database did not answer.
    """
    removals = RecentRemovals()
    feeds = TopicFeeds(persistence.database, persistence.vault, pubsub)
    lifecycle.start("topic feeds", feeds.run)
    unread = UnreadCounts(persistence.database, persistence.vault, pubsub, removals)
    lifecycle.start("unread counts", unread.run)
    user_news = UserNews(persistence.database, persistence.vault, persistence.policies, pubsub, removals)
    lifecycle.start("user news", user_news.run)
    contact = settings.effective_public_url if settings.effective_public_url.startswith("https://") else None
    vapid = Vapid(persistence.secret_key, contact=contact)
    client = PushClient(vapid, allow_private=settings.push_private_addresses)
    lifecycle.on_stop_await(client.close)
    push_services = PushServices(persistence.database, persistence.vault, persistence.index, persistence.policies)
    push_notifier = PushNotifier(push_services, client, partial(show_in_tabs, pubsub))
    lifecycle.start("push notifications", push_notifier.run)
    presence = Presence(pubsub, broadcast_period=_PRESENCE_PERIOD_SECONDS)
    if lease is not None:
        heads = HeadBroadcaster(persistence.database, pubsub, feeds)
        pubsub.watch_gaps(heads.broadcast_soon)
        removed_access = RemovedAccessReader(persistence.database, pubsub, removals, lease, heads.broadcast_soon)
        await removed_access.start()
        lifecycle.start("removed access", removed_access.run)
        lifecycle.start("missed notifications", push_notifier.recover)
        lifecycle.start("head broadcasts", heads.run)
        lifecycle.start("presence", presence.run)
    return Delivery(
        pubsub=pubsub,
        feeds=feeds,
        presence=presence,
        broadcasts=Broadcasts(pubsub, feeds, unread, removals, push_notifier),
        push_notifier=push_notifier,
        push_key=vapid.public_key,
    )
