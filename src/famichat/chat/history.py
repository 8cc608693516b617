"""What was said before: pages of messages by their place (`seq`), and what a client missed while it was away.

Nobody sees what came before their time (`visible_from_seq`). Every page is in order of `seq` and has at most 200
messages, fewer when their bodies are large; `has_more` says that it does not reach the end in the direction asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from famichat.chat.access import Access
from famichat.chat.errors import InvalidMessage, NotFound
from famichat.chat.message import Message
from famichat.chat.view import MessageView, message_view
from famichat.storage.base import is_id
from famichat.storage.history import current_epoch
from famichat.storage.sealed import Vault

MAX_PAGE = 200
MAX_PAGE_BYTES = 256 * 1024
MAX_SEQ = 2**53


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages in a row, oldest first; `has_more` says that there are more of what was asked for."""

    messages: list[MessageView]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a client stands that joins a conversation, possibly again.

    Attributes:
        recovered: False when what the client remembers is of another history: it must forget that and start over.
        messages: what it missed; or, when it remembers nothing, the newest page.
        has_more: newer ones follow these; or, when it remembers nothing, older ones came before these.
        last_seq: the place of the newest message of the conversation.
        epoch: the name of this history.
    """

    recovered: bool
    messages: list[MessageView]
    has_more: bool
    last_seq: int
    epoch: str


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
        after_seq, before_seq = place(payload, "after_seq"), place(payload, "before_seq")
        if after_seq is not None and before_seq is not None:
            raise InvalidMessage(field="before_seq")
        limit = place(payload, "limit")
        if limit == 0:
            raise InvalidMessage(field="limit")
        return cls(after_seq, before_seq, MAX_PAGE if limit is None else min(limit, MAX_PAGE))

    def read(self, session: Session, access: Access, vault: Vault) -> Page:
        """Get this page."""
        if self.after_seq is not None:
            return messages_after(session, access, self.after_seq, self.limit, vault=vault)
        return messages_before(session, access, self.before_seq, self.limit, vault=vault)


def place(payload: Mapping[str, Any], field: str) -> int | None:
    """A field that counts messages, if it is there.

    Raises:
        InvalidMessage: it is no whole number from 0 to 2^53.
    """
    value = payload.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEQ:
        raise InvalidMessage(field=field)
    return value


def messages_after(session: Session, access: Access, after_seq: int, limit: int = MAX_PAGE, *, vault: Vault) -> Page:
    """The first messages after a place."""
    forward = _visible(access).where(Message.seq > after_seq).order_by(Message.seq)
    return _page(session, forward, limit, vault)


def messages_before(
    session: Session, access: Access, before_seq: int | None = None, limit: int = MAX_PAGE, *, vault: Vault
) -> Page:
    """The last messages before a place, or the newest ones."""
    backward = _visible(access).order_by(Message.seq.desc())
    if before_seq is not None:
        backward = backward.where(Message.seq < before_seq)
    page = _page(session, backward, limit, vault)
    return Page(page.messages[::-1], page.has_more)


def message_with_id(session: Session, access: Access, message_id: str, *, vault: Vault) -> MessageView:
    """One message.

    Raises:
        NotFound: it is not in this conversation, or this person may not see it, or this is no id.
    """
    return message_view(_find(session, access, message_id), vault)


def seq_of(session: Session, access: Access, message_id: str) -> int:
    """The place of a message.

    Raises:
        NotFound: as `message_with_id` does.
    """
    return _find(session, access, message_id).seq


def resume(session: Session, access: Access, last_seq: int | None, epoch: str | None, *, vault: Vault) -> Resume:
    """Say what a client missed that has everything up to `last_seq` of the history `epoch`.

    Exactly what came after, up to 200 messages; the client fetches the rest. One that has nothing yet gets the newest
    200. So does one that remembers another history, or a place that this one has not reached; it is told so.

    Args:
        session: the transaction, on one snapshot.
        access: who joins what.
        last_seq: up to where the client has everything; None when it has nothing.
        epoch: the history that it knows; None when it knows none.
        vault: opens the bodies.
    """
    present, head = current_epoch(session), access.conversation.last_seq
    recovered = epoch in {None, present} and (last_seq is None or last_seq <= head)
    if last_seq is None or not recovered:
        page = messages_before(session, access, vault=vault)
    else:
        page = messages_after(session, access, last_seq, vault=vault)
    return Resume(recovered, page.messages, page.has_more, head, present)


def _visible(access: Access) -> Select[Message]:
    return select(Message).where(
        Message.conversation_id == access.conversation.id, Message.seq >= access.participant.visible_from_seq
    )


def _page(session: Session, query: Select[Message], limit: int, vault: Vault) -> Page:
    limit = min(limit, MAX_PAGE)
    found = session.execute(query.limit(limit + 1)).scalars().all()
    fitting = found[: min(limit, _fit(found))]
    return Page([message_view(message, vault) for message in fitting], len(found) > len(fitting))


def _fit(messages: Sequence[Message]) -> int:
    """How many of these go into one answer, which a slow line must be able to take whole; at least one."""
    size = 0
    for count, message in enumerate(messages):
        size += len(message.body or b"")
        if size > MAX_PAGE_BYTES and count:
            return count
    return len(messages)


def _find(session: Session, access: Access, message_id: str) -> Message:
    found = session.execute(_visible(access).where(Message.id == message_id)) if is_id(message_id) else None
    message = found.scalar_one_or_none() if found is not None else None
    if message is None:
        raise NotFound
    return message
