"""Creating, joining, listing, renaming and viewing conversations."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from famichat.accounts.idempotency import KeyedRequest, earlier_result, remember_result
from famichat.accounts.privacy import privacy_of
from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.events.topics import ConversationTopic
from famichat.actions.services import Services
from famichat.chat.access import conversation_for, conversations_of
from famichat.chat.contact import hidden_people
from famichat.chat.conversations import create, view_settings
from famichat.chat.conversations.rename import rename
from famichat.chat.conversations.schema import ConversationList, ConversationView
from famichat.chat.conversations.view import conversation_view, conversation_views, views_by_member
from famichat.chat.conversations.view_settings import ViewSettingsResult
from famichat.chat.list_cursor import ListCursor
from famichat.chat.messages.history import Resume, ResumeFrom, resume
from famichat.chat.messages.receipt import positions
from famichat.chat.messages.schema import ReceiptView
from famichat.chat.records.conversation import ConversationType, History
from famichat.telemetry import emit, events


@dataclass(frozen=True, slots=True)
class CreateResult:
    """A conversation that a user asked for.

    Attributes:
        view: the conversation as that user sees it.
        created: False if it already existed.
    """

    view: ConversationView
    created: bool


@dataclass(frozen=True, slots=True)
class JoinResult:
    """What a device receives when it joins a conversation's topic.

    Attributes:
        conversation: the conversation as the user sees it.
        resume: the messages and changes that the device has missed.
        receipts: how far each device of each member has received and read.
        discreet: whether the user has turned presence off.
        visible_from_seq: the first message that the user may see.
        hidden_people: the users who do not see the user's presence and typing here, and vice versa.
    """

    conversation: ConversationView
    resume: Resume
    receipts: list[ReceiptView]
    discreet: bool
    visible_from_seq: int
    hidden_people: frozenset[str]


async def join_conversation(
    services: Services, actor: Identity, topic: ConversationTopic, params: Mapping[str, Any]
) -> JoinResult:
    """Return what a device needs to follow a conversation, read from one snapshot. What follows it is delivered.

    Args:
        services: the services of this server.
        actor: the authenticated user and device. Its channel has subscribed to the topic.
        topic: the conversation, and the type under which the actor knows it.
        params: the payload of the join: `last_seq`, `last_change` and `epoch`, as far as the device has them.

    Raises:
        NotFound: the actor is not a member of such a conversation.
        InvalidMessage: a field is malformed.
        RateLimited: too many joins.
    """
    started = time.perf_counter()
    services.rate_limits.check("join", actor)
    request = ResumeFrom.parse(params)

    def work(session: Session) -> JoinResult:
        access = conversation_for(session, actor.user_id, topic.conversation_id, topic.type, device_id=actor.device_id)
        conversation = conversation_view(session, access, services.policies, services.vault)
        return JoinResult(
            resume=resume(session, access, request, vault=services.vault),
            conversation=conversation,
            receipts=positions(session, access),
            discreet=not privacy_of(session, actor.user_id).presence,
            visible_from_seq=access.participant.visible_from_seq,
            hidden_people=hidden_people(session, access, conversation["contact"]),
        )

    result = await services.read(work)
    if not services.feeds.joined(str(topic), result.resume.last_seq, result.resume.changes["last_change"]):
        result = await services.read(work)
    emit(
        events.MessageChannelJoined(
            conversation_type=topic.type,
            encryption_status=result.conversation["encryption_status"],
            user_id=actor.user_id,
            conversation_id=topic.conversation_id,
            replayed=len(result.resume.messages),
            recovered=result.resume.recovered,
            duration_seconds=time.perf_counter() - started,
        )
    )
    return result


async def list_conversations(
    services: Services,
    actor: Identity,
    *,
    hidden: bool,
    archived: bool,
    after: ListCursor | None = None,
    limit: int | None = None,
) -> ConversationList:
    """Return the actor's conversations, or a page of them, the most recently active first, without damaged ones.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        hidden: True for the hidden conversations only, False for the others only.
        archived: likewise for archived conversations.
        after: only the conversations behind this position.
        limit: the page size. With it, the result has a `next_cursor`; None for all conversations.

    Raises:
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    one_more = None if limit is None else limit + 1

    def work(session: Session) -> ConversationList:
        found = conversations_of(session, actor.user_id, hidden=hidden, archived=archived, after=after, limit=one_more)
        page = found[:limit]
        intact = [access for access in page if access.is_intact]
        views = conversation_views(session, intact, services.policies, services.vault)
        if limit is None:
            return {"conversations": views}
        end = ListCursor.of(page[-1].conversation) if len(found) > limit else None
        return {"conversations": views, "next_cursor": None if end is None else str(end)}

    return await services.read(work)


async def get_conversation(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Return one conversation as the actor sees it, without its messages.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)

    def work(session: Session) -> ConversationView:
        access = conversation_for(session, actor.user_id, conversation_id)
        return conversation_view(session, access, services.policies, services.vault)

    return await services.read(work)


async def create_self_conversation(services: Services, actor: Identity) -> CreateResult:
    """Create the actor's notes to self, or return them.

    Raises:
        InvalidToken: the actor's device has been signed out since the request was authenticated.
        RateLimited: too many messages and conversations.
    """
    return await _create(
        services,
        actor,
        "self",
        lambda session, required: create.create_self_conversation(session, actor.user_id, encryption_required=required),
    )


async def create_direct_conversation(
    services: Services, actor: Identity, user_id: str, family_id: str | None = None
) -> CreateResult:
    """Create the conversation of the actor and one other user, or return it and unhide it for the actor.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        user_id: the other user.
        family_id: the family that both belong to; None for the oldest one that they share.

    Raises:
        NotFound: the other user does not exist or shares no family with the actor.
        OwnAccount: the other user is the actor.
        ContactEnded: there is no conversation yet, and their contact has ended.
        InvalidToken: the actor's device has been signed out since the request was authenticated.
        RateLimited: too many messages and conversations.
    """
    return await _create(
        services,
        actor,
        "direct",
        lambda session, required: create.create_direct_conversation(
            session,
            actor.user_id,
            user_id,
            family_id,
            blind_index=services.index,
            encryption_required=required,
        ),
    )


async def create_group_conversation(
    services: Services,
    actor: Identity,
    name: str,
    member_ids: list[str],
    family_id: str | None = None,
    *,
    history: History = "joined",
    key: str | None = None,
) -> CreateResult:
    """Create a group whose only admin is the actor.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        name: the name of the group.
        member_ids: the other members; duplicates and the actor are ignored.
        family_id: the family that all of them belong to; None for the oldest one that they share.
        history: whether members who are added later see earlier messages.
        key: the request's idempotency key. A repeated request returns the same group.

    Raises:
        IdempotencyKeyReused: the actor used the key for another request.
        InvalidMembers: fewer than three members.
        InvalidName: the name is empty, too long or contains control characters.
        NotFound: a member does not exist, or they do not share a family.
        InvalidToken: the actor's device has been signed out since the request was authenticated.
        RateLimited: too many messages and conversations.
    """
    request = KeyedRequest.of(key, "group", name, sorted(set(member_ids)), family_id, history)

    def create_or_find(session: Session, required: bool) -> create.CreatedConversation:  # noqa: FBT001 - see `_create`
        earlier_id = earlier_result(session, actor.user_id, request)
        if earlier_id is not None:
            earlier = conversation_for(session, actor.user_id, earlier_id).conversation
            return create.CreatedConversation(earlier, created=False)
        created = create.create_group_conversation(
            session, actor.user_id, name, member_ids, family_id, history=history, encryption_required=required
        )
        remember_result(session, actor.user_id, request, created.conversation.id)
        return created

    return await _create(services, actor, "group", create_or_find)


async def create_family_conversation(services: Services, actor: Identity, family_id: str | None = None) -> CreateResult:
    """Create the conversation of a whole family, or return it.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        family_id: the family; None for the oldest one that the actor belongs to.

    Raises:
        NotFound: the actor does not belong to this family, or to any.
        InvalidToken: the actor's device has been signed out since the request was authenticated.
        RateLimited: too many messages and conversations.
    """
    return await _create(
        services,
        actor,
        "family",
        lambda session, required: create.create_family_conversation(
            session, actor.user_id, family_id, encryption_required=required
        ),
    )


async def rename_conversation(services: Services, actor: Identity, conversation_id: str, name: str) -> ConversationView:
    """Rename a group or a family conversation, and tell its members.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
        NotGroupConversation: conversations of this type have no name.
        NotAdmin: the actor is not an admin there.
        InvalidName: the name is empty, too long or contains control characters.
    """

    def work(session: Session) -> dict[str, ConversationView]:
        access = conversation_for(session, actor.user_id, conversation_id)
        rename(session, access.conversation, name, role=access.role)
        return views_by_member(session, conversation_id, services.policies, services.vault)

    views = await services.write(work)
    services.broadcasts.conversation_updated(views)
    return views[actor.user_id]


async def hide_conversation(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Hide a conversation until its next message. The other members see this in `hidden_by_users`.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    event = events.ConversationHidden(conversation_id=conversation_id, user_id=actor.user_id)
    return await _change_view(services, actor, conversation_id, view_settings.hide_conversation, event)


async def unhide_conversation(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Show a hidden conversation again.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    return await _change_view(services, actor, conversation_id, view_settings.unhide_conversation)


async def archive_conversation(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Archive a conversation. New messages do not unarchive it.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    return await _change_view(services, actor, conversation_id, view_settings.archive_conversation)


async def unarchive_conversation(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Move a conversation out of the archive.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    return await _change_view(services, actor, conversation_id, view_settings.unarchive_conversation)


async def pin_conversation(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Keep a conversation at the top of the actor's list.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    return await _change_view(services, actor, conversation_id, view_settings.pin_conversation)


async def unpin_conversation(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """List a conversation by its latest activity again.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    return await _change_view(services, actor, conversation_id, view_settings.unpin_conversation)


async def mark_conversation_unread(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Mark a conversation as unread on all devices of the actor.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    return await _change_view(services, actor, conversation_id, view_settings.mark_conversation_unread)


async def unmark_conversation_unread(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Remove the actor's unread mark from a conversation.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    return await _change_view(services, actor, conversation_id, view_settings.unmark_conversation_unread)


async def mute_conversation(
    services: Services, actor: Identity, conversation_id: str, until: datetime | None = None
) -> ConversationView:
    """Mute a conversation until a time, or indefinitely if `until` is None.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    mute = partial(view_settings.mute_conversation, until=until)
    return await _change_view(services, actor, conversation_id, mute)


async def unmute_conversation(services: Services, actor: Identity, conversation_id: str) -> ConversationView:
    """Unmute a conversation.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
    """
    return await _change_view(services, actor, conversation_id, view_settings.unmute_conversation)


async def _create(
    services: Services,
    actor: Identity,
    conversation_type: ConversationType,
    create_or_find: Callable[[Session, bool], create.CreatedConversation],
) -> CreateResult:
    """Create or find a conversation. Tell all members if it is new, else only the actor's devices."""
    services.rate_limits.check("send", actor)
    required = services.policies.of(conversation_type) == "required"

    def work(session: Session) -> tuple[create.CreatedConversation, dict[str, ConversationView]]:
        still_signed_in(session, actor)
        result = create_or_find(session, required)
        return result, views_by_member(session, result.conversation.id, services.policies, services.vault)

    result, views = await services.write(work)
    topic = ConversationTopic(conversation_type, result.conversation.id)
    services.broadcasts.conversation_created(topic, views, created=result.created)
    if result.rejoined:
        services.broadcasts.joined(actor.user_id, views)
    elif not result.created:
        services.broadcasts.conversation_updated({actor.user_id: views[actor.user_id]})
    return CreateResult(views[actor.user_id], result.created)


async def _change_view(
    services: Services,
    actor: Identity,
    conversation_id: str,
    change: Callable[[Session, str, str], ViewSettingsResult],
    event: events.Event | None = None,
) -> ConversationView:
    """Change the actor's own view settings and tell the actor's devices; emit `event` if anything changed."""

    def work(session: Session) -> tuple[bool, ConversationView]:
        result = change(session, actor.user_id, conversation_id)
        return result.changed, conversation_view(session, result.access, services.policies, services.vault)

    changed, view = await services.write(work)
    if event is not None and changed:
        emit(event)
    services.broadcasts.conversation_updated({actor.user_id: view})
    return view
