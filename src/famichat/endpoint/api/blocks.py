"""The caller's blocked users."""

from pydantic import BaseModel, Field

from famichat.actions.contacts import block_user, list_blocks, unblock_user
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp

router = api_router("/me/blocks", "people")


class BlockView(BaseModel):
    """One blocked user."""

    user_id: str
    blocked_at: Timestamp = Field(description="When the caller blocked this user.")


class BlocksView(BaseModel):
    """Everyone whom the caller has blocked, the oldest block first."""

    blocks: list[BlockView]


@router.get("", summary="List blocked people")
async def blocks(caller: Caller, context: InContext) -> BlocksView:
    """List the users that the caller has blocked. No one else can read this list."""
    found = await list_blocks(context, caller)
    return BlocksView(blocks=[BlockView(user_id=each.blocked_id, blocked_at=each.inserted_at) for each in found])


@router.put("/{user_id}", status_code=204, summary="Block a person")
async def put_block(user_id: str, caller: Caller, context: InContext) -> None:
    """Block a user: neither can send the other one direct messages or see the other one online. The user is not told.

    Raises:
        OwnAccount: the user is the caller.
        NotFound: the two share no family and no conversation, or there is no such user.
    """
    await block_user(context, caller, user_id)


@router.delete("/{user_id}", status_code=204, summary="Unblock a person")
async def delete_block(user_id: str, caller: Caller, context: InContext) -> None:
    """Unblock a user. Messages that the user could not send meanwhile are not delivered later.

    Raises:
        NotFound: the two share no family and no conversation, or there is no such user.
    """
    await unblock_user(context, caller, user_id)
