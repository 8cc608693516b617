"""What has become of messages since: their edits, deletions and reactions, by the position of each change.

A conversation numbers its changes 1, 2, 3 ... as it numbers its messages. A message carries the number of its last one,
so the feed gives each changed message once, as it is now, in the order in which they changed last. Who has it up to a
change, and the messages after a place, knows the conversation as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.messages.page import MAX_PAGE, fitting_views, page_size, seq_param
from famichat.chat.messages.schema import ChangePage
from famichat.chat.records.message import CHANGED, Message
from famichat.storage.crypto.vault import Vault


@dataclass(frozen=True, slots=True)
class ChangesRequest:
    """Which changes somebody asks for: those after a position."""

    after_change: int
    limit: int = MAX_PAGE

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "ChangesRequest":
        """Read a `fetch_changes` payload. A limit over 200 is taken as 200.

        Raises:
            InvalidMessage: a field is malformed.
        """
        return cls(seq_param(payload, "after_change") or 0, page_size(payload))

    def read(self, session: Session, access: Access, vault: Vault) -> ChangePage:
        """Get these changes."""
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
    """The messages that changed after a position.

    Args:
        session: the transaction, on one snapshot.
        access: who asks, about what.
        after_change: the position.
        limit: how many at most.
        up_to_seq: only messages up to this place; those after it are given as they are now in any case.
        vault: opens the bodies.
    """
    query = access.visible_messages().where(CHANGED, Message.change > after_change).order_by(Message.change)
    if up_to_seq is not None:
        query = query.where(Message.seq <= up_to_seq)
    views, has_more = fitting_views(session, query, limit, vault)
    return {"changes": views, "has_more": has_more, "last_change": access.conversation.last_change}
