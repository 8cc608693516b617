"""Conversations: create, list, rename, hide, archive and mute them."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from famichat.actions import conversations as actions
from famichat.chat.conversations.schema import ConversationList, ConversationView
from famichat.chat.conversations.view_settings import MUTED_INDEFINITELY
from famichat.chat.list_cursor import ListCursor
from famichat.chat.messages.page import MAX_PAGE
from famichat.chat.records.conversation import History
from famichat.endpoint.http.compression import compressible
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.parameters import Cursor, IdempotencyKey, Limit

router = api_router("/conversations", "conversations")

_MAX_NAMED = 500
_SHAPE: dict[str, Any] = {"response_model": ConversationView}
_CREATED: dict[str, Any] = {
    **_SHAPE,
    "status_code": 201,
    "responses": {200: {"model": ConversationView, "description": "It already existed"}},
}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DirectRequest(_Request):
    """The other user, and the family; without a family, the oldest one that both belong to."""

    user_id: str
    family_id: str | None = None


class GroupRequest(_Request):
    """The name and the other members; without a family, the oldest one that all of them belong to."""

    name: str
    member_ids: list[str] = Field(max_length=_MAX_NAMED)
    family_id: str | None = None
    history: History = Field("joined", description="What members who are added later see: messages since then, or all.")


class FamilyRequest(_Request):
    """The family; without one, the oldest that the caller belongs to."""

    family_id: str | None = None


class Renaming(_Request):
    """The new name. Nothing else of a conversation can change, and never its type."""

    name: str


def _only_text(until: object) -> object:
    if until is not None and not (isinstance(until, str) and until[4:5] == "-"):
        raise ValueError("must be an RFC 3339 timestamp")  # Pydantic would accept seconds since 1970, too
    return until


def _in_range(until: datetime) -> datetime:
    if not datetime(1970, 1, 1, tzinfo=UTC) <= until <= MUTED_INDEFINITELY:
        raise ValueError("out of range")
    return until


class Muting(_Request):
    """When the mute ends; without a time, never."""

    until: Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_in_range)] | None = None


@router.get("", summary="List conversations", response_model=ConversationList)
async def list_conversations(
    caller: Caller,
    context: InContext,
    *,
    hidden: bool = False,
    archived: bool = False,
    limit: Limit = None,
    cursor: Cursor = None,
) -> ConversationList:
    """List the caller's conversations, the most recently active first: by default those neither hidden nor archived.

    Without `limit`, all of them are returned. With it, `next_cursor` is the `cursor` of the next page. A conversation
    that becomes active while a client pages moves to the front: read the first page again to find it.
    """
    after = None if cursor is None else ListCursor.parse(cursor)
    page = None if limit is None else min(limit, MAX_PAGE)
    return await actions.list_conversations(context, caller, hidden=hidden, archived=archived, after=after, limit=page)


@router.get("/{conversation_id}", summary="Show a conversation", **_SHAPE)
@compressible
async def get_conversation(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Return a conversation without its messages; see `messages` for those.

    Raises:
        NotFound: the caller is not a member.
    """
    return await actions.get_conversation(context, caller, conversation_id)


@router.post("/self", summary="Open notes to self", **_CREATED)
async def make_self(caller: Caller, context: InContext, response: Response) -> ConversationView:
    """Create the caller's notes to self, or return them."""
    return _respond(await actions.create_self_conversation(context, caller), response)


@router.post("/direct", summary="Open a direct conversation", **_CREATED)
async def make_direct(body: DirectRequest, caller: Caller, context: InContext, response: Response) -> ConversationView:
    """Create the conversation of two users, or return it; if the caller had hidden it, it is shown again.

    Raises:
        NotFound: the other user does not exist or shares no family with the caller.
        InvalidMembers: the other user is the caller.
    """
    result = await actions.create_direct_conversation(context, caller, body.user_id, body.family_id)
    return _respond(result, response)


@router.post("/group", summary="Create a group", **_CREATED)
async def make_group(
    body: GroupRequest, caller: Caller, context: InContext, response: Response, key: IdempotencyKey = None
) -> ConversationView:
    """Create a group with the caller as its admin.

    Raises:
        InvalidMembers: fewer than three members.
        InvalidName: the name is not allowed.
        NotFound: a member does not exist, or they do not share a family.
    """
    result = await actions.create_group_conversation(
        context, caller, body.name, body.member_ids, body.family_id, history=body.history, key=key
    )
    return _respond(result, response)


@router.post("/family", summary="Open the family conversation", **_CREATED)
async def make_family(
    caller: Caller, context: InContext, response: Response, body: FamilyRequest | None = None
) -> ConversationView:
    """Create the conversation of a whole family, or return it.

    Raises:
        NotFound: the caller does not belong to this family, or to any.
    """
    family_id = None if body is None else body.family_id
    return _respond(await actions.create_family_conversation(context, caller, family_id), response)


@router.patch("/{conversation_id}", summary="Rename a conversation", **_SHAPE)
async def patch_conversation(
    conversation_id: str, body: Renaming, caller: Caller, context: InContext
) -> ConversationView:
    """Rename a group or a family conversation.

    Raises:
        NotFound: the caller is not a member.
        NotGroupConversation: conversations of this type have no name.
        NotAdmin: the caller is not an admin there.
        InvalidName: the name is not allowed.
    """
    return await actions.rename_conversation(context, caller, conversation_id, body.name)


@router.put("/{conversation_id}/hidden", summary="Hide a conversation", **_SHAPE)
async def put_hidden(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Hide a conversation until its next message. The other members see this in `hidden_by_users`."""
    return await actions.hide_conversation(context, caller, conversation_id)


@router.delete("/{conversation_id}/hidden", summary="Unhide a conversation", **_SHAPE)
async def delete_hidden(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Show a hidden conversation again."""
    return await actions.unhide_conversation(context, caller, conversation_id)


@router.put("/{conversation_id}/archived", summary="Archive a conversation", **_SHAPE)
async def put_archived(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Archive a conversation. New messages do not unarchive it."""
    return await actions.archive_conversation(context, caller, conversation_id)


@router.delete("/{conversation_id}/archived", summary="Unarchive a conversation", **_SHAPE)
async def delete_archived(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Move a conversation out of the archive."""
    return await actions.unarchive_conversation(context, caller, conversation_id)


@router.put("/{conversation_id}/muted", summary="Mute a conversation", **_SHAPE)
async def put_muted(
    conversation_id: str, caller: Caller, context: InContext, body: Muting | None = None
) -> ConversationView:
    """Mute a conversation, indefinitely or until a time."""
    return await actions.mute_conversation(context, caller, conversation_id, None if body is None else body.until)


@router.delete("/{conversation_id}/muted", summary="Unmute a conversation", **_SHAPE)
async def delete_muted(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Unmute a conversation."""
    return await actions.unmute_conversation(context, caller, conversation_id)


@router.put("/{conversation_id}/pinned", summary="Pin a conversation", **_SHAPE)
async def put_pinned(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Keep a conversation at the top of the caller's list."""
    return await actions.pin_conversation(context, caller, conversation_id)


@router.delete("/{conversation_id}/pinned", summary="Unpin a conversation", **_SHAPE)
async def delete_pinned(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """List a conversation by its latest activity again."""
    return await actions.unpin_conversation(context, caller, conversation_id)


@router.put("/{conversation_id}/marked-unread", summary="Mark a conversation as unread", **_SHAPE)
async def put_marked_unread(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Mark a conversation as unread on all of the caller's devices. Receipts and unread counts do not change."""
    return await actions.mark_conversation_unread(context, caller, conversation_id)


@router.delete("/{conversation_id}/marked-unread", summary="Remove the unread mark of a conversation", **_SHAPE)
async def delete_marked_unread(conversation_id: str, caller: Caller, context: InContext) -> ConversationView:
    """Remove the unread mark, as a client does when the caller opens the conversation."""
    return await actions.unmark_conversation_unread(context, caller, conversation_id)


def _respond(result: actions.CreateResult, response: Response) -> ConversationView:
    response.status_code = 201 if result.created else 200
    return result.view
