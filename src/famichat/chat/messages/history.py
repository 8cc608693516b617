"""Message history: pages of messages by `seq`, and the messages that a client missed while it was disconnected.

Members do not see messages before their `visible_from_seq`. A page is in the order of `seq` and contains at most 200
messages, fewer if their bodies are large; `has_more` is True if there are more in the requested direction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.change_feed import changes_after
from famichat.chat.messages.page import (
    MAX_PAGE,
    MAX_SEQ,
    PageRows,
    fitting_rows,
    page_query,
    page_size,
    seq_param,
    visible_message,
)
from famichat.chat.messages.row import MESSAGE_COLUMNS, MessageRow
from famichat.chat.messages.schema import ChangePage, MessagePage, MessageView
from famichat.chat.messages.view import EPOCH, damaged_view, message_views
from famichat.chat.records.message import Message
from famichat.storage.base import rfc3339
from famichat.storage.crypto.vault import Vault
from famichat.storage.epoch import current_epoch


@dataclass(frozen=True, slots=True)
class Resume:
    """The reply to a client that joins a conversation for the first time or again.

    Attributes:
        recovered: False if the client's positions belong to another history: it must discard its messages.
        messages: the messages after the client's `last_seq`; the newest page if the client has none.
        has_more: whether newer messages follow; for a client that has none, whether there are older ones.
        last_seq: the `seq` of the newest message of the conversation.
        epoch: the id of the current history.
        changes: changes of the messages that the client has; empty if it has none.
    """

    recovered: bool
    messages: list[MessageView]
    has_more: bool
    last_seq: int
    epoch: str
    changes: ChangePage


@dataclass(frozen=True, slots=True)
class ResumeFrom:
    """The position from which a client resumes. It has everything up to it.

    Attributes:
        last_seq: the last message; None if the client has no messages.
        last_change: the last change; 0 if the client knows of none.
        epoch: the history to which the positions belong; None if the client knows of none.
    """

    last_seq: int | None = None
    last_change: int = 0
    epoch: str | None = None

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> "ResumeFrom":
        """Parse the payload of a join.

        Raises:
            InvalidMessage: a field is malformed.
        """
        epoch = params.get("epoch")
        if epoch is not None and not isinstance(epoch, str):
            raise InvalidMessage(field="epoch")
        return cls(seq_param(params, "last_seq"), seq_param(params, "last_change") or 0, epoch)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for the page after a `seq`, before a `seq`, or, without either, for the newest page."""

    after_seq: int | None = None
    before_seq: int | None = None
    limit: int = MAX_PAGE

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "PageRequest":
        """Parse a `fetch` payload. A limit above 200 is reduced to 200.

        Raises:
            InvalidMessage: a field is malformed, or both `after_seq` and `before_seq` are given.
        """
        after_seq, before_seq = seq_param(payload, "after_seq"), seq_param(payload, "before_seq")
        if after_seq is not None and before_seq is not None:
            raise InvalidMessage(field="before_seq")
        return cls(after_seq, before_seq, page_size(payload))

    def read(self, session: Session, access: Access, vault: Vault) -> MessagePage:
        """Return this page."""
        if self.after_seq is not None:
            return messages_after(session, access, self.after_seq, self.limit, vault=vault)
        return messages_before(session, access, self.before_seq, self.limit, vault=vault)


def messages_after(
    session: Session, access: Access, after_seq: int, limit: int = MAX_PAGE, *, vault: Vault
) -> MessagePage:
    """Return the first messages after a `seq`, oldest first."""
    first = access.first_visible(after_seq)
    page = fitting_rows(session, access, _FORWARD, limit, first=first)
    return {"messages": _views(access, without_gaps(page.rows, first), page, vault), "has_more": page.has_more}


def messages_before(
    session: Session, access: Access, before_seq: int | None = None, limit: int = MAX_PAGE, *, vault: Vault
) -> MessagePage:
    """Return the last messages before a `seq`, or the newest messages, oldest first."""
    end = MAX_SEQ if before_seq is None else before_seq
    page = fitting_rows(session, access, _BACKWARD, limit, first=access.first_visible(), end=end)
    rows = page.rows[::-1]
    last = access.conversation.last_seq if before_seq is None else before_seq - 1
    first = next((row.seq - index for index, row in enumerate(rows) if row), last - len(rows) + 1)
    return {"messages": _views(access, without_gaps(rows, first), page, vault), "has_more": page.has_more}


def without_gaps(rows: Sequence[MessageRow | None], first: int) -> Iterator[tuple[int, MessageRow | None]]:
    """Yield the rows of a page with their positions, and None for each position without an intact row.

    Positions have no gaps, so that of a damaged row follows from the intact rows around it. A gap between intact rows
    means that an index of the database is damaged.

    Args:
        rows: the page in the order of `seq`; None for each damaged row.
        first: the position of the first row.
    """
    expected = first
    for row in rows:
        if row is not None:
            yield from ((seq, None) for seq in range(expected, min(row.seq, expected + MAX_PAGE)))
            expected = row.seq
        yield expected, row
        expected += 1


def _views(
    access: Access, rows: Iterable[tuple[int, MessageRow | None]], page: PageRows, vault: Vault
) -> list[MessageView]:
    views: list[MessageView] = []
    time = next((rfc3339(row.inserted_at) for row in page.rows if row), EPOCH)
    for seq, row in rows:
        if row is None and seq > access.conversation.last_seq:
            break  # the damaged position of a row: the rows around it show a gap where it belongs
        if row is None:
            views.append(damaged_view(access.conversation.id, seq, time))
        else:
            views.append(page.view(row, vault))
            time = views[-1]["inserted_at"]
    return views


def message_with_id(session: Session, access: Access, message_id: str, *, vault: Vault) -> MessageView:
    """Return one message.

    Raises:
        NotFound: it is not in this conversation, the member may not see it, or the id is malformed.
    """
    return message_views(session, [visible_message(session, access, message_id)], vault)[0]


def seq_of(session: Session, access: Access, message_id: str) -> int:
    """Return the `seq` of a message.

    Raises:
        NotFound: see `message_with_id`.
    """
    return visible_message(session, access, message_id).seq


def resume(session: Session, access: Access, has: ResumeFrom, *, vault: Vault) -> Resume:
    """Return the messages and changes that a client missed.

    A client that has messages gets the next 200 messages and up to 200 changes of the messages it has, and fetches the
    rest. A client without messages gets the newest 200. So does a client whose epoch differs or whose positions lie in
    the future (after a restored backup); `recovered` is then False.

    Args:
        session: the transaction; it must read from one snapshot, so that messages and changes are consistent.
        access: the conversation and the joining member.
        has: the client's position.
        vault: opens the bodies.
    """
    present, talk = current_epoch(session), access.conversation
    reached = (has.last_seq or 0) <= talk.last_seq and has.last_change <= talk.last_change
    recovered = has.epoch in {None, present} and reached
    page: MessagePage = {"messages": [], "has_more": False}
    changes: ChangePage = {"changes": [], "has_more": False, "last_change": talk.last_change}
    if has.last_seq is None or not recovered:
        page = messages_before(session, access, vault=vault)
    else:
        if has.last_seq < talk.last_seq:
            page = messages_after(session, access, has.last_seq, vault=vault)
        if has.last_change < talk.last_change:
            changes = changes_after(session, access, has.last_change, up_to_seq=has.last_seq, vault=vault)
    return Resume(recovered, page["messages"], page["has_more"], talk.last_seq, present, changes)


# With two lower bounds, SQLite would start its scan of the index at the first of them.
_VISIBLE: Final = select(*MESSAGE_COLUMNS).where(Message.seq >= bindparam("first"))
_FORWARD: Final = page_query(_VISIBLE.order_by(Message.seq))
_BACKWARD: Final = page_query(_VISIBLE.where(Message.seq < bindparam("end")).order_by(Message.seq.desc()))
