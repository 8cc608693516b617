"""A conversation, as one device hears it: join, talk, change what was said, acknowledge, look back."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from famichat.accounts.privacy import privacy_of
from famichat.accounts.sign_in.token import Identity
from famichat.actions.change_message import change_message
from famichat.actions.send_message import send_message
from famichat.actions.topics import ConversationTopic, connections_of_user
from famichat.chat.access import Access, conversation_for
from famichat.chat.conversations.view import ConversationView, conversation_view
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.change import Change, Deletion, Edit, React
from famichat.chat.messages.change_feed import ChangeFeedPage, ChangesRequest
from famichat.chat.messages.decryption_report import DecryptionReport
from famichat.chat.messages.history import Page, PageRequest, Resume, ResumeFrom, resume
from famichat.chat.messages.receipt import ReceiptView, positions
from famichat.chat.messages.receipt_writer import Acknowledgement, parse_status
from famichat.endpoint.channels.errors import error_payload, error_reply, unmatched_event
from famichat.endpoint.denials import report_denied
from famichat.endpoint.http.context import Context
from famichat.errors import FamichatError
from famichat.realtime.channel import Channel, Deferred, JoinRefused, TerminateReason
from famichat.realtime.message import Broadcast, Payload, ReplyPayload, ok
from famichat.realtime.socket import Socket
from famichat.storage.base import rfc3339
from famichat.telemetry import emit, events

_Answer = TypeVar("_Answer", bound=ReplyPayload | Deferred | None)


class MessageChannel(Channel):
    """`message:<type>:<conversation id>`.

    Access is asked at the join and, in the transaction itself, at each send and each read; a person who was removed
    finds the channel closed, and the next join refused.
    """

    def __init__(self, socket: Socket, topic: str, context: Context) -> None:
        super().__init__(socket, topic)
        self._context = context
        self._identity: Identity = socket.assigns
        self._replayed_to = 0
        self._changed_to = 0
        self._visible_from = 1

    async def join(self, params: dict[str, Any]) -> dict[str, Any]:
        """Let a member in, with the messages after `last_seq`, or with the newest ones.

        Raises:
            Refused: with `invalid_topic_format`, `not_found`, `rate_limited`, `invalid_message` or `unavailable`.
        """
        started = time.perf_counter()
        try:
            return await self._join(params, started)
        except FamichatError as fault:
            emit(
                events.MessageChannelJoinRefused(
                    reason=fault.code,
                    user_id=self._identity.user_id,
                    duration_seconds=time.perf_counter() - started,
                )
            )
            raise JoinRefused(error_payload(fault)) from fault

    async def after_join(self) -> None:
        """Show who is here, and, if the person wants that, show this person to the others."""
        presence, user_id = self._context.presence, self._identity.user_id
        presence.choose_here(user_id, discreet=self._discreet)
        presence.track(self, user_id, {"device_id": self._identity.device_id})
        self.push("presence_state", presence.list(self.topic))
        # The choice may have changed since the join read it, and this node been told of it before the line above.
        discreet = await self._context.database.read(self._is_discreet)
        if discreet != self._discreet:
            presence.choose_here(user_id, discreet=discreet)

    async def terminate(self, reason: TerminateReason) -> None:
        """Be here no more."""
        self._context.presence.untrack(self)

    def should_deliver(self, broadcast: Broadcast) -> bool:
        """Not what the join's answer counts already, and not a message from before this person's time."""
        payload = broadcast.payload
        if broadcast.event == "new_msg" and isinstance(payload, dict):
            return bool(payload["seq"] > self._replayed_to)
        if broadcast.event == "message_updated" and isinstance(payload, dict):
            return bool(payload["change"] > self._changed_to and payload["seq"] >= self._visible_from)
        return True

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        """Answer one event of the contract; every other one is unmatched."""
        handlers: dict[str, Callable[[dict[str, Any]], Awaitable[ReplyPayload | Deferred | None]]] = {
            "new_msg": self._new_msg,
            "edit_msg": partial(self._change, Edit),
            "delete_msg": partial(self._change, Deletion),
            "react": partial(self._change, React),
            "message_ack": self._message_ack,
            "fetch": self._fetch,
            "fetch_changes": self._fetch_changes,
            "typing": self._typing,
            "decrypt_failed": self._decrypt_failed,
        }
        handle = handlers.get(event)
        if handle is None:
            return unmatched_event()
        if not isinstance(payload, dict):
            return error_reply(InvalidMessage(field="payload"))
        return await self._in_words(handle(payload))

    async def _join(self, params: dict[str, Any], started: float) -> dict[str, Any]:
        self._address = ConversationTopic.parse(self.topic)
        self._context.rate_limits.check("join", self._identity)
        has = ResumeFrom.parse(params)

        def read(session: Session) -> tuple[Access, Resume, ConversationView, list[ReceiptView], bool]:
            access, vault = self._access(session), self._context.vault
            found = resume(session, access, has, vault=vault)
            conversation = conversation_view(session, access, self._context.policies, vault)
            return access, found, conversation, positions(session, access), self._is_discreet(session)

        access, found, conversation, receipts, self._discreet = await self._context.database.read(read)
        self._visible_from = access.participant.visible_from_seq
        self._replayed_to, self._changed_to = found.last_seq, found.changes.last_change
        status = conversation["encryption_status"]
        emit(
            events.MessageChannelJoined(
                conversation_type=self._address.type,
                encryption_status=status,
                user_id=self._identity.user_id,
                conversation_id=self._address.conversation_id,
                replayed=len(found.messages),
                recovered=found.recovered,
                duration_seconds=time.perf_counter() - started,
            )
        )
        return {
            "conversation": conversation,
            "epoch": found.epoch,
            "last_seq": found.last_seq,
            "recovered": found.recovered,
            "encryption_status": status,
            "messages": found.messages,
            "has_more": found.has_more,
            "last_change": found.changes.last_change,
            "changes": found.changes.changes,
            "has_more_changes": found.changes.has_more,
            "receipts": [asdict(position) for position in receipts],
        }

    async def _new_msg(self, payload: dict[str, Any]) -> Deferred:
        sent = send_message(self._context, self._identity, self._address, payload)

        async def answer() -> ReplyPayload:
            message = await sent
            return ok(
                {"message_id": message.message_id, "seq": message.seq, "inserted_at": rfc3339(message.inserted_at)}
            )

        return Deferred(self._in_words(answer()))

    async def _change(self, change: type[Change], payload: dict[str, Any]) -> Deferred:
        conversation = self._address.type, self._address.conversation_id
        changed = change_message(self._context, self._identity, conversation, change, payload)

        async def answer() -> ReplyPayload:
            await changed
            return ok()

        return Deferred(self._in_words(answer()))

    async def _message_ack(self, payload: dict[str, Any]) -> Deferred:
        received_at, identity, address = time.perf_counter(), self._identity, self._address
        self._context.rate_limits.check("acknowledge", identity)
        asked = Acknowledgement(
            identity.user_id, identity.device_id, address.type, address.conversation_id, *parse_status(payload)
        )
        announce = self._context.broadcasts.acknowledged(address, received_at)
        written = self._context.receipts.acknowledge(asked, announce)

        async def answer() -> ReplyPayload:
            await written
            return ok()

        return Deferred(self._in_words(answer()))

    async def _fetch(self, payload: dict[str, Any]) -> ReplyPayload:
        self._context.rate_limits.check("read", self._identity)
        asked = PageRequest.parse(payload)

        def read(session: Session) -> Page:
            return asked.read(session, self._access(session), self._context.vault)

        page = await self._context.database.read(read)
        return ok({"messages": page.messages, "has_more": page.has_more})

    async def _fetch_changes(self, payload: dict[str, Any]) -> ReplyPayload:
        self._context.rate_limits.check("read", self._identity)
        asked = ChangesRequest.parse(payload)

        def read(session: Session) -> ChangeFeedPage:
            return asked.read(session, self._access(session), self._context.vault)

        return ok(asdict(await self._context.database.read(read)))

    async def _typing(self, payload: dict[str, Any]) -> None:
        if not isinstance(payload.get("typing"), bool):
            raise InvalidMessage(field="typing")
        self._context.rate_limits.check("typing", self._identity)
        typing = {"user_id": self._identity.user_id, "device_id": self._identity.device_id, "typing": payload["typing"]}
        told = await self._context.database.read(self._tells_typing)
        only = None if told else connections_of_user(self._identity.user_id)
        self.broadcast("typing", typing, exclude_self=True, only=only)

    async def _decrypt_failed(self, payload: dict[str, Any]) -> ReplyPayload:
        self._context.rate_limits.check("report", self._identity)
        report = DecryptionReport.parse(payload)
        await self._context.database.read(lambda session: report.check(session, self._access(session)))
        report.emit(self._identity.user_id)
        return ok()

    def _is_discreet(self, session: Session) -> bool:
        return not privacy_of(session, self._identity.user_id).presence

    def _tells_typing(self, session: Session) -> bool:
        self._access(session)
        return privacy_of(session, self._identity.user_id).typing

    def _access(self, session: Session) -> Access:
        return conversation_for(session, self._identity.user_id, self._address.conversation_id, self._address.type)

    async def _in_words(self, answer: Awaitable[_Answer]) -> _Answer | ReplyPayload:
        """Turn whatever goes wrong into a reply: the asker gets a stable code, and the channel stays."""
        try:
            return await answer
        except Exception as fault:  # noqa: BLE001 - see above; what nobody expected is logged by `error_reply`
            report_denied("message_channel", fault, self._identity.user_id)
            return error_reply(fault)
