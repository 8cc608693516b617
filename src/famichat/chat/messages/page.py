"""Page limits: a reply contains at most 200 messages, fewer if they are large."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.errors import InvalidMessage, NotFound
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import message_view, reactions_among
from famichat.chat.records.message import Message
from famichat.chat.records.reaction import Reaction
from famichat.storage.base import is_id
from famichat.storage.crypto.vault import Vault

MAX_PAGE = 200
"""Maximum number of messages of a page."""
MAX_PAGE_BYTES = 256 * 1024
"""Limit of the bodies and reactions of a page, in bytes; a single larger message is still returned."""
MAX_SEQ = 2**53
"""The largest position: JSON parsers keep integers up to here exact (RFC 8259, section 6)."""
_REACTION_BYTES = 160  # approximate size of a reaction's JSON without the emoji


def seq_param(payload: Mapping[str, Any], field: str) -> int | None:
    """Parse a position or a limit; None if the field is missing.

    Raises:
        InvalidMessage: the value is not an integer from 0 to 2^53.
    """
    value = payload.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEQ:
        raise InvalidMessage(field=field)
    return value


def page_size(payload: Mapping[str, Any]) -> int:
    """Return the requested `limit`, which defaults to `MAX_PAGE` and is reduced to it.

    Raises:
        InvalidMessage: the value is not a positive integer.
    """
    limit = seq_param(payload, "limit")
    if limit == 0:
        raise InvalidMessage(field="limit")
    return MAX_PAGE if limit is None else min(limit, MAX_PAGE)


def visible_message(session: Session, access: Access, message_id: str) -> Message:
    """Return the record of one message.

    Raises:
        NotFound: it is not in this conversation, the member may not see it, or the id is malformed.
    """
    found = session.execute(access.visible_messages().where(Message.id == message_id)) if is_id(message_id) else None
    message = found.scalar_one_or_none() if found is not None else None
    if message is None:
        raise NotFound
    return message


def fitting_views(session: Session, query: Select[Message], limit: int, vault: Vault) -> tuple[list[MessageView], bool]:
    """Return the first messages of a query that fit into a page, and whether there are more.

    Args:
        session: the transaction.
        query: the messages, in the order of the page.
        limit: maximum number of messages, at most `MAX_PAGE`.
        vault: opens bodies and reactions.
    """
    limit = min(limit, MAX_PAGE)
    found = session.execute(query.limit(limit + 1)).scalars().all()
    reactions = reactions_among(session, found)
    count = min(limit, fit(_size(each, reactions.get(each.id, ())) for each in found))
    return [message_view(each, vault, reactions.get(each.id, ())) for each in found[:count]], len(found) > count


def fit(sizes: Iterable[int]) -> int:
    """Return how many items of these sizes (bytes) fit into a page, at least one.

    A page is sent as one frame, which a slow connection must be able to receive in full.
    """
    total = count = 0
    for size in sizes:
        total += size
        if total > MAX_PAGE_BYTES and count:
            break
        count += 1
    return count


def _size(message: Message, reactions: Iterable[Reaction]) -> int:
    return len(message.body or b"") + sum(len(each.emoji) + _REACTION_BYTES for each in reactions)
