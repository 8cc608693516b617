"""The channel of one conversation: join, send, change, acknowledge and fetch messages."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, cast

from famichat.actions import messages
from famichat.actions.conversations import join_conversation
from famichat.actions.events import presence
from famichat.actions.events.broadcasts import CONTACT_CHANGED
from famichat.actions.events.head_broadcaster import HEAD
from famichat.actions.events.payloads import Head, Typing
from famichat.actions.events.receipt_broadcaster import STATUS, STATUSES
from famichat.actions.events.topic_feed import NEW, UPDATED
from famichat.actions.events.topics import ConversationTopic, connections_of_user
from famichat.actions.receipts import acknowledge_messages
from famichat.chat.access import is_visible
from famichat.chat.conversations.schema import JoinReply
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.change import Change, Deletion, Edit, React
from famichat.chat.messages.schema import SendReply
from famichat.chat.messages.send import QueuedMessage
from famichat.endpoint.channels.connected_device import ConnectedDevice
from famichat.endpoint.channels.errors import error_payload, error_reply, unmatched_event
from famichat.endpoint.denials import report_denied
from famichat.endpoint.http.context import Context
from famichat.errors import FamichatError
from famichat.realtime.channel import Channel, Deferred, JoinRefused, TerminateReason
from famichat.realtime.message import Broadcast, Payload, ReplyPayload, ok
from famichat.realtime.socket import Socket
from famichat.storage.base import rfc3339
from famichat.telemetry import emit, events


class MessageChannel(Channel):
    """`message:<type>:<conversation id>`.

    Access is checked when the client joins and, in the transaction itself, each time it sends or reads. If the user is
    removed from the conversation, the channel is closed and the next join is refused.
    """

    def __init__(self, socket: Socket, topic: str, context: Context) -> None:
        super().__init__(socket, topic)
        self._context = context
        self._device: ConnectedDevice = socket.assigns
        self._identity = self._device.identity
        self._replayed_to = 0
        self._changed_to = 0
        self._visible_from = 1
        self._hidden_people: frozenset[str] = frozenset()

    async def join(self, params: dict[str, Any]) -> JoinReply:
        """Authorize the join, and reply with the messages after `last_seq` or the newest ones.

        Raises:
            JoinRefused: with `invalid_topic_format`, `not_found`, `rate_limited`, `invalid_message` or `unavailable`.
        """
        started = time.perf_counter()
        try:
            return await self._join(params)
        except FamichatError as error:
            emit(
                events.MessageChannelJoinRefused(
                    reason=error.code,
                    user_id=self._identity.user_id,
                    duration_seconds=time.perf_counter() - started,
                )
            )
            raise JoinRefused(error_payload(error)) from error

    async def after_join(self) -> None:
        """Push the presence state, and track this user's presence unless the privacy settings hide it."""
        tracker, user_id = self._context.presence, self._identity.user_id
        tracker.set_hidden_here(user_id, hidden=self._discreet)
        tracker.track(self, user_id, {"device_id": self._identity.device_id})
        self.push("presence_state", self._visible_people(tracker.list(self.topic)))
        if tracker.hidden_changes == self._hidden_changes:
            return
        # A setting changed after the join read it. Its broadcast may have arrived before this channel was tracked, so
        # read the setting again.
        discreet = await presence.hides_presence(self._context, self._identity)
        if discreet != self._discreet:
            tracker.set_hidden_here(user_id, hidden=discreet)

    async def terminate(self, reason: TerminateReason) -> None:
        """Untrack presence."""
        self._context.presence.untrack(self)

    def should_deliver(self, broadcast: Broadcast) -> bool:
        """Return False for events that the join reply contained, and for messages and people this user may not see."""
        payload = broadcast.payload
        if broadcast.event == NEW and isinstance(payload, dict):
            return self._is_next(payload["seq"])
        if broadcast.event == UPDATED and isinstance(payload, dict):
            return self._is_next_change(payload["change"]) and is_visible(payload["seq"], self._visible_from)
        if broadcast.event == CONTACT_CHANGED and isinstance(payload, dict):
            self._contact_changed(*payload["user_ids"], hidden=payload["hidden"])
            return False
        if broadcast.event == HEAD and self._device.heads is not None:
            self._device.heads.add(self._address.conversation_id, cast("Head", payload))
            return False
        if self._hidden_people and isinstance(payload, dict):
            return self._should_deliver_about_people(broadcast.event, payload)
        return True

    def _is_next(self, seq: int) -> bool:
        # The feed of the topic delivers in order.
        is_next, self._replayed_to = seq > self._replayed_to, max(seq, self._replayed_to)
        return is_next

    def _is_next_change(self, change: int) -> bool:
        is_next, self._changed_to = change > self._changed_to, max(change, self._changed_to)
        return is_next

    def _should_deliver_about_people(self, event: str, payload: dict[str, Any]) -> bool:
        if event == "typing":
            return payload["user_id"] not in self._hidden_people
        if event == "presence_diff" and not self._hidden_people.isdisjoint(payload["joins"] | payload["leaves"]):
            visible = {name: self._visible_people(payload[name]) for name in ("joins", "leaves")}
            if any(visible.values()):
                self.push("presence_diff", visible)
            return False
        return True

    def _contact_changed(self, user_id: str, other_id: str, *, hidden: bool) -> None:
        """Hide a person's presence from this client, or show it again, if the change concerns this user."""
        own = self._identity.user_id
        if own not in (user_id, other_id):
            return
        person = other_id if own == user_id else user_id
        if hidden == (person in self._hidden_people):
            return
        online = {key: state for key, state in self._context.presence.list(self.topic).items() if key == person}
        if online:
            self.push("presence_diff", {"joins": {} if hidden else online, "leaves": online if hidden else {}})
        self._hidden_people = self._hidden_people | {person} if hidden else self._hidden_people - {person}

    def _visible_people(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {person: entry for person, entry in state.items() if person not in self._hidden_people}

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        """Handle one event of the protocol. Other events get the reply `unmatched_event`."""
        handle = self._HANDLERS.get(event)
        if handle is None:
            return unmatched_event()
        if not isinstance(payload, dict):
            return error_reply(InvalidMessage(field="payload"))
        try:
            return await handle(self, payload)
        except Exception as error:  # noqa: BLE001 - the channel stays open; see `_refuse`
            return self._refuse(error)

    async def _join(self, params: dict[str, Any]) -> JoinReply:
        self._address = ConversationTopic.parse(self.topic)
        self.listen(STATUSES if _supports_statuses(params) else STATUS)
        self._hidden_changes = self._context.presence.hidden_changes
        joined = await join_conversation(self._context, self._identity, self._address, params)
        resume = joined.resume
        self._discreet, self._visible_from = joined.discreet, joined.visible_from_seq
        self._hidden_people = joined.hidden_people
        self._replayed_to, self._changed_to = resume.last_seq, resume.changes["last_change"]
        return {
            "conversation": joined.conversation,
            "epoch": resume.epoch,
            "last_seq": resume.last_seq,
            "recovered": resume.recovered,
            "encryption_status": joined.conversation["encryption_status"],
            "messages": resume.messages,
            "has_more": resume.has_more,
            "last_change": resume.changes["last_change"],
            "changes": resume.changes["changes"],
            "has_more_changes": resume.changes["has_more"],
            "receipts": joined.receipts,
        }

    async def _new_msg(self, payload: dict[str, Any]) -> Deferred:
        topic = self._address
        queued = messages.send_message(self._context, self._identity, topic.conversation_id, payload, topic.type)
        return Deferred(queued.stored, lambda _: self._sent(queued))

    def _sent(self, queued: QueuedMessage) -> ReplyPayload:
        try:
            message = queued.result()
        except Exception as error:  # noqa: BLE001 - see `_refuse`
            return self._refuse(error)
        response: SendReply = {
            "message_id": message.message_id,
            "seq": message.seq,
            "inserted_at": rfc3339(message.inserted_at),
        }
        return ok(response)

    async def _edit(self, payload: dict[str, Any]) -> Deferred:
        return self._change(Edit, payload)

    async def _delete(self, payload: dict[str, Any]) -> Deferred:
        return self._change(Deletion, payload)

    async def _react(self, payload: dict[str, Any]) -> Deferred:
        return self._change(React, payload)

    def _change(self, change: type[Change], payload: dict[str, Any]) -> Deferred:
        topic = self._address
        work = messages.change_message(
            self._context, self._identity, topic.conversation_id, change, payload, topic.type
        )
        return Deferred(work, self._done)

    async def _message_ack(self, payload: dict[str, Any]) -> Deferred:
        attended = self._device.attentive
        work = acknowledge_messages(self._context, self._identity, self._address, payload, attended=attended)
        return Deferred(work, self._done)

    async def _fetch(self, payload: dict[str, Any]) -> ReplyPayload:
        topic = self._address
        page = await messages.fetch_messages(self._context, self._identity, topic.conversation_id, payload, topic.type)
        return ok(page)

    async def _fetch_changes(self, payload: dict[str, Any]) -> ReplyPayload:
        topic = self._address
        page = await messages.fetch_changes(self._context, self._identity, topic.conversation_id, payload, topic.type)
        return ok(page)

    async def _typing(self, payload: dict[str, Any]) -> None:
        if not isinstance(payload.get("typing"), bool):
            raise InvalidMessage(field="typing")
        shown = await presence.shows_typing(self._context, self._identity, self._address)
        typing: Typing = {
            "user_id": self._identity.user_id,
            "device_id": self._identity.device_id,
            "typing": payload["typing"],
        }
        only = None if shown else connections_of_user(self._identity.user_id)
        self.broadcast("typing", typing, exclude_self=True, only=only)

    async def _decrypt_failed(self, payload: dict[str, Any]) -> ReplyPayload:
        topic = self._address
        await messages.report_decryption_failure(
            self._context, self._identity, topic.conversation_id, payload, topic.type
        )
        return ok()

    def _done(self, work: asyncio.Future[object]) -> ReplyPayload:
        try:
            work.result()
        except Exception as error:  # noqa: BLE001 - see `_refuse`
            return self._refuse(error)
        return ok()

    def _refuse(self, error: Exception) -> ReplyPayload:
        """Turn any error into a reply with a stable code; `error_reply` logs unexpected ones."""
        report_denied("message_channel", error, self._identity.user_id)
        return error_reply(error)

    # At the end of the class, where the methods are defined.
    _HANDLERS: ClassVar[dict[str, Callable[[Any, dict[str, Any]], Awaitable[ReplyPayload | Deferred | None]]]] = {
        "new_msg": _new_msg,
        "edit_msg": _edit,
        "delete_msg": _delete,
        "react": _react,
        "message_ack": _message_ack,
        "fetch": _fetch,
        "fetch_changes": _fetch_changes,
        "typing": _typing,
        "decrypt_failed": _decrypt_failed,
    }


def _supports_statuses(params: Mapping[str, Any]) -> bool:
    """Return whether the client declares that it supports `message_statuses` instead of `message_status`."""
    supports = params.get("message_statuses", False)
    if not isinstance(supports, bool):
        raise InvalidMessage(field="message_statuses")
    return supports
