"""Conversations: make them, list them, name them, and choose how to see them."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.topics import ConversationTopic
from famichat.chat.access import Access, conversation_for, conversations_of, everyones_access
from famichat.chat.conversations.create import (
    CreatedConversation,
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.chat.conversations.rename import rename
from famichat.chat.conversations.view import ConversationView, conversation_view, conversation_views
from famichat.chat.conversations.view_settings import (
    FOR_EVER,
    ViewSettingsResult,
    archive_conversation,
    hide_conversation,
    mute_conversation,
    unarchive_conversation,
    unhide_conversation,
    unmute_conversation,
)
from famichat.chat.records.conversation import ConversationType, History
from famichat.endpoint.api import schemas
from famichat.endpoint.http.context import Caller, Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.telemetry import emit, events

router = api_router("/conversations", "conversations")

_MAX_NAMED = 500
_SHAPE: dict[str, Any] = {"response_model": schemas.Conversation, "response_model_exclude_unset": True}
_MAKING: dict[str, Any] = {
    **_SHAPE,
    "status_code": 201,
    "responses": {200: {"model": schemas.Conversation, "description": "It was there already"}},
}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DirectRequest(_Request):
    """With whom to talk, and in which family; without one, in the oldest that both belong to."""

    user_id: str
    family_id: str | None = None


class GroupRequest(_Request):
    """A group's name and its people besides the caller; without a family, the oldest to which all of them belong."""

    name: str
    member_ids: list[str] = Field(max_length=_MAX_NAMED)
    family_id: str | None = None
    history: History = Field("joined", description="What newcomers see: from their joining on, or all of it.")


class FamilyRequest(_Request):
    """Of which family; without one, of the oldest that the caller belongs to."""

    family_id: str | None = None


class Renaming(_Request):
    """What a conversation is called from now on. Nothing else of it can change, and never its type."""

    name: str


def _written(moment: object) -> object:
    if moment is not None and not (isinstance(moment, str) and moment[4:5] == "-"):
        raise ValueError("a moment is written as a date and a time")  # the framework would take seconds since 1970, too
    return moment


def _storable(moment: datetime) -> datetime:
    if not datetime(1970, 1, 1, tzinfo=UTC) <= moment <= FOR_EVER:
        raise ValueError("this moment is out of range")
    return moment


class Muting(_Request):
    """Until when; without a moment, for ever."""

    until: Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_storable)] | None = None


@router.get("", summary="My conversations", response_model=schemas.Conversations, response_model_exclude_unset=True)
async def list_conversations(
    caller: Caller, context: InContext, *, hidden: bool = False, archived: bool = False
) -> dict[str, list[ConversationView]]:
    """List one shelf: the conversations that are neither hidden nor archived, or either, or both; as asked."""
    context.rate_limits.check("read", caller)

    def work(session: Session) -> list[ConversationView]:
        shelf = conversations_of(session, caller.user_id, hidden=hidden, archived=archived)
        return conversation_views(session, shelf, context.policies, context.vault)

    return {"conversations": await context.database.read(work)}


@router.get("/{conversation_id}", summary="One conversation", **_SHAPE)
async def get_conversation(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Show a conversation from outside; see `messages` for what was said.

    Raises:
        NotFound: the caller is in no such conversation.
    """
    context.rate_limits.check("read", caller)
    return await context.database.read(
        lambda session: _view(session, conversation_for(session, caller.user_id, conversation_id), context)
    )


@router.post("/self", summary="My notes", **_MAKING)
async def make_self(caller: Caller, context: InContext, response: Response) -> ConversationView:
    """Make the caller's notes to self, or give them."""
    return await _make(
        "self",
        lambda session, required: create_self_conversation(session, caller.user_id, encryption_required=required),
        caller,
        context,
        response,
    )


@router.post("/direct", summary="Talk with somebody", **_MAKING)
async def make_direct(body: DirectRequest, caller: Caller, context: InContext, response: Response) -> ConversationView:
    """Make the conversation of two people, or give it; one that the caller has hidden is shown again.

    Raises:
        NotFound: the other does not exist, or is in no family with the caller.
        InvalidMembers: the other is the caller.
    """
    return await _make(
        "direct",
        lambda session, required: create_direct_conversation(
            session,
            caller.user_id,
            body.user_id,
            body.family_id,
            blind_index=context.index,
            encryption_required=required,
        ),
        caller,
        context,
        response,
    )


@router.post("/group", summary="Start a group", **_SHAPE, status_code=201)
async def make_group(body: GroupRequest, caller: Caller, context: InContext, response: Response) -> ConversationView:
    """Make a group, whose admin is the caller.

    Raises:
        InvalidMembers: fewer than three people.
        InvalidName: it cannot be called that.
        NotFound: somebody does not exist, or they are not all of one family.
    """
    return await _make(
        "group",
        lambda session, required: create_group_conversation(
            session,
            caller.user_id,
            body.name,
            body.member_ids,
            body.family_id,
            history=body.history,
            encryption_required=required,
        ),
        caller,
        context,
        response,
    )


@router.post("/family", summary="Talk with the family", **_MAKING)
async def make_family(
    caller: Caller, context: InContext, response: Response, body: FamilyRequest | None = None
) -> ConversationView:
    """Make the conversation of a whole family, or give it.

    Raises:
        NotFound: the caller does not belong to this family, or to any.
    """
    family_id = None if body is None else body.family_id
    return await _make(
        "family",
        lambda session, required: create_family_conversation(
            session, caller.user_id, family_id, encryption_required=required
        ),
        caller,
        context,
        response,
    )


@router.patch("/{conversation_id}", summary="Rename", **_SHAPE)
async def patch_conversation(
    conversation_id: str, body: Renaming, caller: Caller, context: InContext
) -> ConversationView:
    """Give a group, or a family's conversation, another name.

    Raises:
        NotFound: the caller is in no such conversation.
        NotGroupConversation: it has no name.
        NotAdmin: the caller is no admin there.
        InvalidName: it cannot be called that.
    """

    def work(session: Session) -> dict[str, ConversationView]:
        access = conversation_for(session, caller.user_id, conversation_id)
        rename(session, access.conversation, body.name, role=access.role)
        return everyones_views(session, conversation_id, context)

    views = await context.database.transaction(work)
    context.broadcasts.conversation_updated(views)
    return views[caller.user_id]


@router.put("/{conversation_id}/hidden", summary="Hide", **_SHAPE)
async def put_hidden(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Put a conversation away until something is said in it. The others can read it in `hidden_by_users`."""
    told = events.ConversationHidden(conversation_id=conversation_id, user_id=caller.user_id)
    return await _see(hide_conversation, conversation_id, caller, context, told)


@router.delete("/{conversation_id}/hidden", summary="Show again", **_SHAPE)
async def delete_hidden(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Show a hidden conversation again."""
    return await _see(unhide_conversation, conversation_id, caller, context)


@router.put("/{conversation_id}/archived", summary="Archive", **_SHAPE)
async def put_archived(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Put a conversation away, whatever is said in it."""
    return await _see(archive_conversation, conversation_id, caller, context)


@router.delete("/{conversation_id}/archived", summary="Take out of the archive", **_SHAPE)
async def delete_archived(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Take a conversation out of the archive."""
    return await _see(unarchive_conversation, conversation_id, caller, context)


@router.put("/{conversation_id}/muted", summary="Mute", **_SHAPE)
async def put_muted(
    conversation_id: str, caller: Caller, context: InContext, body: Muting | None = None
) -> ConversationView:
    """Let a conversation make no noise, for ever or until a moment."""
    until = None if body is None else body.until
    return await _see(partial(mute_conversation, until=until), conversation_id, caller, context)


@router.delete("/{conversation_id}/muted", summary="Unmute", **_SHAPE)
async def delete_muted(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Let a conversation make noise again."""
    return await _see(unmute_conversation, conversation_id, caller, context)


async def _make(
    kind: ConversationType,
    make: Callable[[Session, bool], CreatedConversation],
    caller: Identity,
    context: Context,
    response: Response,
) -> ConversationView:
    """Make a conversation, or find it, and tell those whom it concerns: its people if it is new, else the caller."""
    context.rate_limits.check("send", caller)
    required = context.policies.of(kind) == "required"

    def work(session: Session) -> tuple[CreatedConversation, dict[str, ConversationView]]:
        still_signed_in(session, caller)
        created = make(session, required)
        return created, everyones_views(session, created.conversation.id, context)

    created, views = await context.database.transaction(work)
    topic = ConversationTopic(kind, created.conversation.id)
    context.broadcasts.conversation_created(topic, views, made=created.made)
    if not created.made:
        context.broadcasts.conversation_updated({caller.user_id: views[caller.user_id]})
    response.status_code = 201 if created.made else 200
    return views[caller.user_id]


async def _see(
    change: Callable[[Session, str, str], ViewSettingsResult],
    conversation_id: str,
    caller: Identity,
    context: Context,
    told: events.Event | None = None,
) -> ConversationView:
    """Change how the caller sees a conversation, and tell the caller's other devices; `told` is emitted if it changed.

    Raises:
        NotFound: the caller is in no such conversation.
    """

    def work(session: Session) -> tuple[bool, ConversationView]:
        seen = change(session, caller.user_id, conversation_id)
        return seen.changed, _view(session, seen.access, context)

    changed, view = await context.database.transaction(work)
    if told is not None and changed:
        emit(told)
    context.broadcasts.conversation_updated({caller.user_id: view})
    return view


def _view(session: Session, access: Access, context: Context) -> ConversationView:
    return conversation_view(session, access, context.policies, context.vault)


def everyones_views(session: Session, conversation_id: str, context: Context) -> dict[str, ConversationView]:
    """A conversation as each person in it sees it, by user id: to tell them what has changed."""
    accesses = everyones_access(session, conversation_id)
    views = conversation_views(session, accesses, context.policies, context.vault)
    return {access.user_id: view for access, view in zip(accesses, views, strict=True)}
