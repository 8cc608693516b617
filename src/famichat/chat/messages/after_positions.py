"""Reads what follows known positions of many conversations, for all members alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from famichat.chat.messages.page import MAX_PAGE
from famichat.chat.messages.row import message_rows
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import row_views
from famichat.chat.records.message import CHANGED, Message
from famichat.storage.crypto.vault import Vault

MAX_CHANGES = 1000
"""Maximum number of changed messages of all conversations together."""


@dataclass(frozen=True, slots=True)
class Position:
    """A position in a conversation: all messages up to `seq` and all changes up to `change` are known."""

    seq: int
    change: int


@dataclass(slots=True)
class Following:
    """The messages and changed messages after a position, in order; `has_more`: there may be more."""

    messages: list[MessageView] = field(default_factory=list)
    changes: list[MessageView] = field(default_factory=list)
    has_more: bool = False


def after_positions(session: Session, positions: Mapping[str, Position], vault: Vault) -> dict[str, Following]:
    """Return what follows the positions, by conversation id, with a constant number of queries.

    Args:
        session: a read transaction.
        positions: by conversation id; the query grows with their number, so pass at most 100.
        vault: opens the bodies.
    """
    found = {conversation_id: Following() for conversation_id in positions}
    new = message_rows(session, _new(positions))
    changed = message_rows(session, _changed(positions))
    views = row_views(session, list({row.id: row for row in [*new, *changed]}.values()), vault)
    for row in new:
        found[row.conversation_id].messages.append(views[row.id])
    for row in changed:
        if row.is_intact:  # only an intact row says when it changed
            found[row.conversation_id].changes.append(views[row.id])
    for following in found.values():
        following.has_more = len(following.messages) == MAX_PAGE or len(changed) == MAX_CHANGES
    return found


def messages_at(session: Session, places: Iterable[tuple[str, int]], vault: Vault) -> list[MessageView]:
    """Return the messages at these places, each a conversation id and a `seq`."""
    place = tuple_(Message.conversation_id, Message.seq)
    rows = message_rows(session, select(Message).where(place.in_(list(places))))
    return list(row_views(session, rows, vault).values())


def _new(positions: Mapping[str, Position]) -> Select[Message]:
    after = [
        and_(Message.conversation_id == id_, Message.seq > position.seq, Message.seq <= position.seq + MAX_PAGE)
        for id_, position in positions.items()
    ]
    return select(Message).where(or_(*after)).order_by(Message.seq)


def _changed(positions: Mapping[str, Position]) -> Select[Message]:
    after = [
        and_(Message.conversation_id == id_, Message.change > position.change, CHANGED)
        for id_, position in positions.items()
    ]
    return select(Message).where(or_(*after)).order_by(Message.change).limit(MAX_CHANGES)
