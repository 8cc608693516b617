"""What was said before: pages of messages by their place (`seq`), and what a client missed while it was away.

Nobody sees what came before their time (`visible_from_seq`). Every page is in order of `seq` and has at most 200
messages, fewer when their bodies are large; `has_more` says that it does not reach the end in the direction asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.errors import InvalidMessage
from famichat.chat.messages.change_feed import changes_after
from famichat.chat.messages.page import MAX_PAGE, fitting_views, page_size, seq_param, visible_message
from famichat.chat.messages.schema import ChangePage, MessagePage, MessageView
from famichat.chat.messages.view import message_views
from famichat.chat.records.message import Message
from famichat.storage.crypto.vault import Vault
from famichat.storage.epoch import current_epoch


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a client stands that joins a conversation, possibly again.

    Attributes:
        recovered: False when what the client remembers is of another history: it must forget that and start over.
        messages: what it missed; or, when it remembers nothing, the newest page.
        has_more: newer ones follow these; or, when it remembers nothing, older ones came before these.
        last_seq: the place of the newest message of the conversation.
        changes: what has become of the messages that it has; nothing, when it remembers nothing.
        epoch: the name of this history.
    """

    recovered: bool
    messages: list[MessageView]
    has_more: bool
    last_seq: int
    epoch: str
    changes: ChangePage


@dataclass(frozen=True, slots=True)
class ResumeFrom:
    """What a client says it has: everything up to a place and a change, of the history `epoch`.

    Attributes:
        last_seq: None when it has nothing.
        last_change: 0 when it knows of no change.
        epoch: None when it knows of no history.
    """

    last_seq: int | None = None
    last_change: int = 0
    epoch: str | None = None

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> "ResumeFrom":
        """Read the payload of a join.

        Raises:
            InvalidMessage: a field is malformed.
        """
        epoch = params.get("epoch")
        if epoch is not None and not isinstance(epoch, str):
            raise InvalidMessage(field="epoch")
        return cls(seq_param(params, "last_seq"), seq_param(params, "last_change") or 0, epoch)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page somebody asks for: what comes after a place, or before it; without either, the newest."""

    after_seq: int | None = None
    before_seq: int | None = None
    limit: int = MAX_PAGE

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "PageRequest":
        """Read a `fetch` payload. A limit over 200 is taken as 200.

        Raises:
            InvalidMessage: a field is malformed, or both places are given.
        """
        after_seq, before_seq = seq_param(payload, "after_seq"), seq_param(payload, "before_seq")
        if after_seq is not None and before_seq is not None:
            raise InvalidMessage(field="before_seq")
        return cls(after_seq, before_seq, page_size(payload))

    def read(self, session: Session, access: Access, vault: Vault) -> MessagePage:
        """Get this page."""
        if self.after_seq is not None:
            return messages_after(session, access, self.after_seq, self.limit, vault=vault)
        return messages_before(session, access, self.before_seq, self.limit, vault=vault)


def messages_after(
    session: Session, access: Access, after_seq: int, limit: int = MAX_PAGE, *, vault: Vault
) -> MessagePage:
    """The first messages after a place."""
    forward = access.visible_messages().where(Message.seq > after_seq).order_by(Message.seq)
    views, has_more = fitting_views(session, forward, limit, vault)
    return {"messages": views, "has_more": has_more}


def messages_before(
    session: Session, access: Access, before_seq: int | None = None, limit: int = MAX_PAGE, *, vault: Vault
) -> MessagePage:
    """The last messages before a place, or the newest ones."""
    backward = access.visible_messages().order_by(Message.seq.desc())
    if before_seq is not None:
        backward = backward.where(Message.seq < before_seq)
    views, has_more = fitting_views(session, backward, limit, vault)
    return {"messages": views[::-1], "has_more": has_more}


def message_with_id(session: Session, access: Access, message_id: str, *, vault: Vault) -> MessageView:
    """One message.

    Raises:
        NotFound: it is not in this conversation, or this person may not see it, or this is no id.
    """
    return message_views(session, [visible_message(session, access, message_id)], vault)[0]


def seq_of(session: Session, access: Access, message_id: str) -> int:
    """The place of a message.

    Raises:
        NotFound: as `message_with_id` does.
    """
    return visible_message(session, access, message_id).seq


def resume(session: Session, access: Access, has: ResumeFrom, *, vault: Vault) -> Resume:
    """Say what a client missed.

    Exactly what came after, up to 200 messages, and up to 200 changes of those that it has; the client fetches the
    rest. One that has nothing yet gets the newest 200, as they are now. So does one that remembers another history, or
    a place or a change that this one has not reached; it is told so.

    Args:
        session: the transaction, on one snapshot.
        access: who joins what.
        has: what the client says it has.
        vault: opens the bodies.
    """
    present, talk = current_epoch(session), access.conversation
    reached = (has.last_seq or 0) <= talk.last_seq and has.last_change <= talk.last_change
    recovered = has.epoch in {None, present} and reached
    if has.last_seq is None or not recovered:
        page = messages_before(session, access, vault=vault)
        changes: ChangePage = {"changes": [], "has_more": False, "last_change": talk.last_change}
    else:
        page = messages_after(session, access, has.last_seq, vault=vault)
        changes = changes_after(session, access, has.last_change, up_to_seq=has.last_seq, vault=vault)
    return Resume(recovered, page["messages"], page["has_more"], talk.last_seq, present, changes)
