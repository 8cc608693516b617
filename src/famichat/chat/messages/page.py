"""As much of a conversation as goes into one answer: at most 200 messages, fewer when they are large.

Nobody sees what came before their time (`visible_from_seq`).
"""

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
MAX_PAGE_BYTES = 256 * 1024
MAX_SEQ = 2**53
_REACTION_BYTES = 160  # of a reaction's JSON, besides its sign


def seq_param(payload: Mapping[str, Any], field: str) -> int | None:
    """A field that counts messages or changes, if it is there.

    Raises:
        InvalidMessage: it is no whole number from 0 to 2^53.
    """
    value = payload.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEQ:
        raise InvalidMessage(field=field)
    return value


def page_size(payload: Mapping[str, Any]) -> int:
    """How many are asked for: `limit`, or as many as go into an answer.

    Raises:
        InvalidMessage: it is no whole number from 1 on.
    """
    limit = seq_param(payload, "limit")
    if limit == 0:
        raise InvalidMessage(field="limit")
    return MAX_PAGE if limit is None else min(limit, MAX_PAGE)


def visible_message(session: Session, access: Access, message_id: str) -> Message:
    """The record of one message.

    Raises:
        NotFound: it is not in this conversation, or this person may not see it, or this is no id.
    """
    found = session.execute(access.visible_messages().where(Message.id == message_id)) if is_id(message_id) else None
    message = found.scalar_one_or_none() if found is not None else None
    if message is None:
        raise NotFound
    return message


def fitting_views(session: Session, query: Select[Message], limit: int, vault: Vault) -> tuple[list[MessageView], bool]:
    """The first messages of a query that go into one answer, and whether there are more."""
    limit = min(limit, MAX_PAGE)
    found = session.execute(query.limit(limit + 1)).scalars().all()
    reactions = reactions_among(session, found)
    count = min(limit, fit(_size(each, reactions.get(each.id, ())) for each in found))
    return [message_view(each, vault, reactions.get(each.id, ())) for each in found[:count]], len(found) > count


def fit(sizes: Iterable[int]) -> int:
    """How many of these go into one answer, which a slow line must be able to take whole; at least one."""
    total = count = 0
    for size in sizes:
        total += size
        if total > MAX_PAGE_BYTES and count:
            break
        count += 1
    return count


def _size(message: Message, reactions: Iterable[Reaction]) -> int:
    return len(message.body or b"") + sum(len(each.emoji) + _REACTION_BYTES for each in reactions)
