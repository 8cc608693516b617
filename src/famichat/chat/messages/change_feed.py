"""The change feed: messages that were edited, deleted or reacted to, in the order of their last change.

A conversation numbers its changes 1, 2, 3 ... as it numbers its messages. A message stores the number of its last
change, so the feed contains each changed message once, in its current state. A client that has all changes up to
`last_change` and all messages up to `last_seq` is up to date. See docs/decisions/0008-changes-of-messages.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.messages.page import MAX_PAGE, MAX_SEQ, fitting_rows, page_query, page_size, seq_param
from famichat.chat.messages.row import MESSAGE_COLUMNS
from famichat.chat.messages.schema import ChangePage
from famichat.chat.records.message import CHANGED, Message
from famichat.storage.crypto.vault import Vault


@dataclass(frozen=True, slots=True)
class ChangesRequest:
    """A request for the changes after a position."""

    after_change: int
    limit: int = MAX_PAGE

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "ChangesRequest":
        """Parse a `fetch_changes` payload. A limit above 200 is reduced to 200.

        Raises:
            InvalidMessage: a field is malformed.
        """
        return cls(seq_param(payload, "after_change") or 0, page_size(payload))

    def read(self, session: Session, access: Access, vault: Vault) -> ChangePage:
        """Return these changes."""
        return changes_after(session, access, self.after_change, self.limit, vault=vault)


def changes_after(
    session: Session,
    access: Access,
    after_change: int,
    limit: int = MAX_PAGE,
    *,
    up_to_seq: int | None = None,
    vault: Vault,
) -> ChangePage:
    """Return the messages that changed after a position, in their current state.

    Args:
        session: the transaction; it must read from one snapshot.
        access: the conversation and the member.
        after_change: the position, from 0.
        limit: maximum number of messages, at most 200.
        up_to_seq: if given, only messages up to this `seq`; a client that fetches later ones gets their current state
            anyway.
        vault: opens the bodies.
    """
    last = MAX_SEQ if up_to_seq is None else up_to_seq
    page = fitting_rows(
        session, access, _CHANGES, limit, first=access.first_visible(), last=last, after_change=after_change
    )
    # A damaged message is left out: only its row says when it changed. The page of messages shows that it is damaged.
    views = [page.view(row, vault) for row in page.rows if row]
    return {"changes": views, "has_more": page.has_more, "last_change": access.conversation.last_change}


# SQLite starts its scan of the index at the first of two lower bounds, so the position precedes `CHANGED`.
_CHANGES: Final = page_query(
    select(*MESSAGE_COLUMNS)
    .where(Message.change > bindparam("after_change"), CHANGED)
    .where(Message.seq >= bindparam("first"), Message.seq <= bindparam("last"))
    .order_by(Message.change)
)
