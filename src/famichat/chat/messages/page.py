"""Page limits: a reply contains at most 200 messages, fewer if they are large."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Select, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.errors import InvalidMessage, MessageDamaged, NotFound
from famichat.chat.messages.row import MessageRow, attachments_of
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import reactions_among, row_view
from famichat.chat.records.attachment import AttachmentFields
from famichat.chat.records.message import Message
from famichat.chat.records.reaction import Reaction
from famichat.storage.base import is_id
from famichat.storage.crypto.vault import Vault
from famichat.storage.prepared import Prepared
from famichat.telemetry import emit, events

MAX_PAGE = 200
"""Maximum number of messages of a page."""
MAX_PAGE_BYTES = 256 * 1024
"""Limit of the bodies and reactions of a page, in bytes; a single larger message is still returned."""
MAX_SEQ = 2**53
"""The largest position: JSON parsers keep integers up to here exact (RFC 8259, section 6)."""
PageQuery = Prepared[*tuple[Any, ...]]
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


def visible_message(session: Session, access: Access, message_id: str, *, lock: bool = False) -> Message:
    """Return the record of one message.

    Args:
        session: the transaction.
        access: the conversation and the member.
        message_id: the message.
        lock: whether to lock the row until commit, and to read it again under the lock.

    Raises:
        NotFound: it is not in this conversation, the member may not see it, or the id is malformed.
        MessageDamaged: its row is damaged.
    """
    query = access.visible_messages().where(Message.id == message_id)
    if lock:
        query = query.with_for_update(of=Message, key_share=True).execution_options(populate_existing=True)
    found = session.execute(query) if is_id(message_id) else None
    message = found.scalar_one_or_none() if found is not None else None
    if message is None:
        raise NotFound
    if not message.is_intact:
        emit(events.MessageDamaged(conversation_id=access.conversation.id, seq=message.seq))
        raise MessageDamaged
    return message


@dataclass(frozen=True, slots=True)
class PageRows:
    """The rows of a page.

    Attributes:
        rows: the messages, in the order of the query; None for each whose row is damaged.
        reactions: their reactions, by message id.
        attachments: their attachments, by message id.
        has_more: whether the query has more messages.
    """

    rows: list[MessageRow | None]
    reactions: Mapping[str, Sequence[Reaction]]
    attachments: Mapping[str, Sequence[AttachmentFields]]
    has_more: bool

    def view(self, row: MessageRow, vault: Vault) -> MessageView:
        """Build the JSON of an intact message of this page."""
        return row_view(row, vault, self.reactions.get(row.id, ()), self.attachments.get(row.id, ()))


def page_query(query: Select[Any]) -> PageQuery:
    """Prepare a query for the messages of a conversation, for `fitting_rows`.

    Args:
        query: selects `MESSAGE_COLUMNS`, in the order of the page.
    """
    of_conversation = query.where(Message.conversation_id == bindparam("conversation_id"))
    return Prepared(of_conversation.limit(bindparam("limit")).offset(bindparam("offset")))


def fitting_rows(session: Session, access: Access, query: PageQuery, limit: int, **values: int) -> PageRows:
    """Return the first messages of a query that fit into a page.

    Args:
        session: the transaction.
        access: the conversation, to which a damaged index may add messages of others.
        query: the messages, from `page_query`.
        limit: maximum number of messages, at most `MAX_PAGE`.
        values: the parameters of the query.
    """
    limit = min(limit, MAX_PAGE)
    found = [
        row if row is not None and row.is_intact and row.conversation_id == access.conversation.id else None
        for row in _readable_rows(session, query, limit + 1, {"conversation_id": access.conversation.id, **values})
    ]
    intact = [each for each in found if each is not None]
    reactions = reactions_among(session, intact)
    count = min(limit, fit(0 if each is None else _size(each, reactions.get(each.id, ())) for each in found))
    return PageRows(found[:count], reactions, attachments_of(session, intact[:count]), len(found) > count)


def _readable_rows(
    session: Session, query: PageQuery, limit: int, values: Mapping[str, str | int]
) -> list[MessageRow | None]:
    """Return the first messages of a query; None for each whose row cannot even be read.

    SQLite stores any bytes in any column, so a damaged row may be unreadable, which fails the whole query. Then each
    row is read on its own.
    """
    try:
        return [MessageRow(*row) for row in query.rows(session, limit=limit, offset=0, **values)]
    except (DBAPIError, ValueError, TypeError):
        if session.get_bind().dialect.name != "sqlite":
            raise
        rows = [_readable_row(session, query, index, values) for index in range(limit)]
        if not any(rows):
            raise
        return [row or None for row in rows if row is not False]


def _readable_row(
    session: Session, query: PageQuery, index: int, values: Mapping[str, str | int]
) -> MessageRow | Literal[False] | None:
    """Return one message of a query; False if there is none, None if it cannot be read."""
    try:
        rows = query.rows(session, limit=1, offset=index, **values)
        return MessageRow(*rows[0]) if rows else False
    except (DBAPIError, ValueError, TypeError):
        return None


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


def _size(message: MessageRow, reactions: Iterable[Reaction]) -> int:
    return len(message.body or b"") + sum(len(each.emoji) + _REACTION_BYTES for each in reactions)
