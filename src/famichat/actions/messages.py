"""Sending, changing and reading messages."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.chat.access import conversation_for
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.change import Change
from famichat.chat.messages.change_feed import ChangesRequest
from famichat.chat.messages.change_writer import ChangeRequest, ChangeResult
from famichat.chat.messages.decryption_report import DecryptionReport
from famichat.chat.messages.history import PageRequest, message_with_id
from famichat.chat.messages.schema import ChangePage, EditPage, MessagePage, MessageView
from famichat.chat.messages.send import Draft, QueuedMessage, Sender, SentMessage
from famichat.chat.messages.versions import former_versions
from famichat.chat.records.conversation import ConversationType
from famichat.telemetry.tracing import MessageTrace


def send_message(
    services: Services,
    actor: Identity,
    conversation_id: str,
    payload: Mapping[str, Any],
    conversation_type: ConversationType | None = None,
) -> QueuedMessage:
    """Send a message: queue it, and announce it once it is stored.

    Everything up to the queue happens synchronously, so that one sender's messages keep the order of these calls.
    Await the result to know that the message is on disk.

    Args:
        services: the services of this server.
        actor: the sender.
        conversation_id: the conversation.
        payload: a `new_msg` payload.
        conversation_type: the type under which the sender knows the conversation; None if not stated.

    Raises:
        RateLimited: this device or user sends too often.
        ChatError: the message is refused; see `Draft.parse` and `SendPath.send`.
        StorageUnavailable: it is unknown whether the message was stored; send it again with the same client id.
    """
    received_at, tracing = time.perf_counter(), services.tracing
    trace = None if tracing is None else tracing.message(conversation_type, conversation_id, actor.user_id)
    try:
        services.rate_limits.check("send", actor)
        draft, sender = Draft.parse(payload), Sender(actor.user_id, actor.device_id)
        announce = partial(_announce_message, services, received_at, trace)
        queued = services.send_path.send(sender, conversation_type, conversation_id, draft, announce)
    except Exception as error:
        if trace is not None:
            trace.refused(error)
        raise
    if trace is not None:
        queued.stored.add_done_callback(lambda _: trace.finish(queued.error()))
    return queued


async def post_message(
    services: Services, actor: Identity, conversation_id: str, payload: Mapping[str, Any]
) -> tuple[MessageView, bool]:
    """Send a message as `send_message` does, and return it.

    A new message takes one transaction, the journal's. For a repeat, the message is read as it is now.

    Returns:
        the message, and whether it is new; False if the same client id was used before.

    Raises:
        RateLimited, ChatError, StorageUnavailable: see `send_message`.
    """
    sent = await send_message(services, actor, conversation_id, payload)
    if sent.view is not None:
        return sent.view, True
    return await services.read(_read_message, services, actor, conversation_id, sent.message_id), False


def change_message(
    services: Services,
    actor: Identity,
    conversation_id: str,
    change: type[Change],
    payload: Mapping[str, Any],
    conversation_type: ConversationType | None = None,
) -> Awaitable[ChangeResult]:
    """Edit, delete or react to a message: queue the change, and announce it once it is stored.

    As with `send_message`, everything up to the queue happens synchronously.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        conversation_id: the conversation.
        change: the kind of change.
        payload: an `edit_msg`, `delete_msg` or `react` payload.
        conversation_type: the type under which the actor knows the conversation; None if not stated.

    Raises:
        RateLimited: this device or user changes messages too often.
        ChatError: the change is refused; see the `parse` of the change, and `ChangeWriter.make`.
        StorageUnavailable: it is unknown whether the change was stored; repeating it is safe.
    """
    services.rate_limits.check("change", actor)
    message_id = payload.get("message_id")
    if not isinstance(message_id, str):
        raise InvalidMessage(field="message_id")
    request = ChangeRequest(
        actor.user_id, actor.device_id, conversation_id, conversation_type, message_id, change.parse(payload)
    )
    return services.changes.make(request, partial(_announce_change, services))


async def fetch_messages(
    services: Services,
    actor: Identity,
    conversation_id: str,
    payload: Mapping[str, Any],
    conversation_type: ConversationType | None = None,
) -> MessagePage:
    """Return a page of messages, oldest first.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        conversation_id: the conversation.
        payload: a `fetch` payload: `after_seq` or `before_seq`, and `limit` (at most 200).
        conversation_type: the type under which the actor knows the conversation; None if not stated.

    Raises:
        NotFound: the actor is not a member of such a conversation.
        InvalidMessage: a field is malformed, or both positions are given.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    request = PageRequest.parse(payload)

    def work(session: Session) -> MessagePage:
        access = conversation_for(session, actor.user_id, conversation_id, conversation_type, device_id=actor.device_id)
        return request.read(session, access, services.vault)

    return await services.read(work)


async def fetch_changes(
    services: Services,
    actor: Identity,
    conversation_id: str,
    payload: Mapping[str, Any],
    conversation_type: ConversationType | None = None,
) -> ChangePage:
    """Return the messages that were edited, deleted or reacted to after a position, each once and as it is now.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        conversation_id: the conversation.
        payload: a `fetch_changes` payload: `after_change` and `limit` (at most 200).
        conversation_type: the type under which the actor knows the conversation; None if not stated.

    Raises:
        NotFound: the actor is not a member of such a conversation.
        InvalidMessage: a field is malformed.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    request = ChangesRequest.parse(payload)

    def work(session: Session) -> ChangePage:
        access = conversation_for(session, actor.user_id, conversation_id, conversation_type, device_id=actor.device_id)
        return request.read(session, access, services.vault)

    return await services.read(work)


async def get_message(services: Services, actor: Identity, conversation_id: str, message_id: str) -> MessageView:
    """Return a message as it is now.

    Raises:
        NotFound: the actor cannot see such a message.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(_read_message, services, actor, conversation_id, message_id)


async def list_former_versions(
    services: Services, actor: Identity, conversation_id: str, message_id: str, before_version: int | None = None
) -> EditPage:
    """Return former versions of an edited message, oldest first and at most 50.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        conversation_id: the conversation.
        message_id: the message.
        before_version: return the versions before this one; None for the latest.

    Raises:
        NotFound: the actor cannot see such a message.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)

    def work(session: Session) -> EditPage:
        access = conversation_for(session, actor.user_id, conversation_id)
        return former_versions(session, access, message_id, before_version, vault=services.vault)

    return await services.read(work)


async def report_decryption_failure(
    services: Services,
    actor: Identity,
    conversation_id: str,
    payload: Mapping[str, Any],
    conversation_type: ConversationType | None = None,
) -> None:
    """Record in telemetry that a client could not decrypt a message.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        conversation_id: the conversation.
        payload: a `decrypt_failed` payload.
        conversation_type: the type under which the actor knows the conversation; None if not stated.

    Raises:
        NotFound: the actor cannot see such a message.
        InvalidMessage: a field is malformed.
        RateLimited: too many reports.
    """
    services.rate_limits.check("report", actor)
    report = DecryptionReport.parse(payload)

    def work(session: Session) -> None:
        access = conversation_for(session, actor.user_id, conversation_id, conversation_type, device_id=actor.device_id)
        report.check(session, access)

    await services.read(work)
    report.emit(actor.user_id)


def _read_message(
    session: Session, services: Services, actor: Identity, conversation_id: str, message_id: str
) -> MessageView:
    access = conversation_for(session, actor.user_id, conversation_id)
    return message_with_id(session, access, message_id, vault=services.vault)


def _announce_message(
    services: Services, received_at: float, trace: MessageTrace | None, sent: SentMessage, view: MessageView
) -> None:
    """Announce a stored message. Called after the commit, in the order of `seq`, even if the sender has disconnected.

    Args:
        services: the services of this server.
        received_at: when the message arrived, by `time.perf_counter`.
        trace: the trace of the message, if traces are on.
        sent: the message.
        view: what the members receive.
    """
    if trace is None:
        services.broadcasts.message_sent(sent, view, received_at)
        return
    with trace.broadcasting(sent.conversation_type):
        services.broadcasts.message_sent(sent, view, received_at)


def _announce_change(services: Services, result: ChangeResult) -> None:
    """Announce a stored change, and delete the files of a deleted message in another thread."""
    services.broadcasts.message_updated(result)
    if result.deleted_attachments:  # their rows are deleted; if this fails, the next sweep finds the files
        asyncio.get_running_loop().run_in_executor(None, services.files.remove, result.deleted_attachments)
