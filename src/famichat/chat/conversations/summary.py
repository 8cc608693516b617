"""Conversation summaries for the conversation list: members, last message and unread count.

The number of queries does not depend on the number of conversations.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, ScalarSelect, Select, and_, bindparam, case, func, select, tuple_
from sqlalchemy.orm import Session

from famichat.chat.access import Access, read_up_to, role_of, with_roles
from famichat.chat.contact import Contact, contacts
from famichat.chat.messages.row import MESSAGE_COLUMNS, MessageRow
from famichat.chat.mls.state import MlsView, epochs_of
from famichat.chat.records.conversation import Conversation, Role
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.chat.records.receipt import Receipt
from famichat.storage.epoch import current_epoch
from famichat.storage.prepared import Prepared


@dataclass(frozen=True, slots=True)
class ConversationMember:
    """A member of a conversation. `hides` is True if the member has hidden it."""

    user_id: str
    role: Role
    hides: bool


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """The summary of a conversation for one of its members.

    Attributes:
        access: the conversation and the member.
        epoch: the id of the history to which `last_seq` belongs; it changes when a backup is restored.
        members: all members, the longest-standing first.
        last_message: the newest message; None if there is none, or if the member may not see it.
        unread: number of messages of other members after the last one that the member has read on any device.
        contact: whether a direct conversation accepts messages; None for other types.
        mls: the epoch of its MLS group; None without one.
    """

    access: Access
    epoch: str
    members: tuple[ConversationMember, ...]
    last_message: MessageRow | None
    unread: int
    contact: Contact | None
    mls: MlsView | None = None

    @property
    def hidden_by(self) -> tuple[str, ...]:
        """The members who have hidden the conversation, as far as this member may know: see docs/permissions.md."""
        sees_all = self.access.conversation.type == "group" and self.access.role == "admin"
        return tuple(
            each.user_id for each in self.members if each.hides and (sees_all or each.user_id == self.access.user_id)
        )


def conversation_summaries(session: Session, accesses: Sequence[Access]) -> list[ConversationSummary]:
    """Build the summaries of conversations, in the given order."""
    epoch = current_epoch(session)
    members = _members(session, {access.conversation.id for access in accesses})
    last_messages = _last_messages(session, accesses)
    unread = unread_counts(session, [(access.conversation.id, access.user_id) for access in accesses])
    states = contacts(session, accesses)
    encrypted = {access.conversation.id for access in accesses if access.conversation.encryption_required}
    epochs = epochs_of(session, encrypted)  # only an encrypted conversation can have an MLS group
    return [
        ConversationSummary(
            access,
            epoch,
            tuple(members[access.conversation.id]),
            _visible(last_messages.get(access.conversation.id), access),
            unread[access.conversation.id, access.user_id],
            states.get((access.conversation.id, access.user_id)),
            epochs.get(access.conversation.id),
        )
        for access in accesses
    ]


def unread_counts(session: Session, members: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Count the unread messages of members, by conversation id and user id.

    Unread are the messages of others after the last one that the member has read on any device. Because `seq` has no
    gaps, their number is the difference of two positions minus the member's own messages in between. Those are the
    difference of two `sender_seq`, so no messages are counted, and the cost does not grow with their number.
    """
    if not members:
        return {}
    conversation_ids, user_ids = map(set, zip(*members, strict=True))
    query = _UNREAD[session.get_bind().dialect.name]
    counts = query.rows(session, conversation_ids=list(conversation_ids), user_ids=list(user_ids))
    return {(conversation_id, user_id): unread for conversation_id, user_id, unread in counts}


def _members(session: Session, conversation_ids: set[str]) -> dict[str, list[ConversationMember]]:
    members: dict[str, list[ConversationMember]] = {conversation_id: [] for conversation_id in conversation_ids}
    for conversation_id, user_id, role, hides in _MEMBERS.rows(session, conversation_ids=list(conversation_ids)):
        members[conversation_id].append(ConversationMember(user_id, role, hides))
    return members


def _last_messages(session: Session, accesses: Sequence[Access]) -> dict[str, MessageRow]:
    ids = {access.conversation.id for access in accesses}
    rows = _NEWEST.rows(session, conversation_ids=list(ids))
    return {message.conversation_id: message for message in (MessageRow(*row) for row in rows)}


def _visible(message: MessageRow | None, access: Access) -> MessageRow | None:
    return message if message is not None and access.can_see(message.seq) else None


def _unread_query(dialect: str) -> Select[str, str, int]:
    ids: BindParameter[Any] = bindparam("conversation_ids", expanding=True)
    user_ids: BindParameter[Any] = bindparam("user_ids", expanding=True)
    furthest = (
        select(Receipt.conversation_id, Receipt.user_id, func.max(Receipt.read_seq).label("seq"))
        .where(Receipt.conversation_id.in_(ids), Receipt.user_id.in_(user_ids))
        .group_by(Receipt.conversation_id, Receipt.user_id)
        .subquery()
    )
    read = read_up_to(furthest.c.seq)
    newest_own = _newest_own_on_postgresql if dialect == "postgresql" else _newest_own
    sent, sent_before = newest_own(None), newest_own(read)
    own = func.coalesce(sent.correlate(Participant), 0) - func.coalesce(sent_before.correlate(Participant, furthest), 0)
    return (
        select(Participant.conversation_id, Participant.user_id, (Conversation.last_seq - read - own).label("unread"))
        .join_from(Participant, Conversation, Conversation.id == Participant.conversation_id)
        .outerjoin(
            furthest,
            and_(furthest.c.conversation_id == Participant.conversation_id, furthest.c.user_id == Participant.user_id),
        )
        .where(Participant.conversation_id.in_(ids), Participant.user_id.in_(user_ids))
    )


def _newest_own(up_to: ColumnElement[int] | None) -> ScalarSelect[int]:
    """Return the `sender_seq` of a participant's newest message, or of the newest one up to a position."""
    own = select(Message.sender_seq).where(
        Message.user_id == Participant.user_id, Message.conversation_id == Participant.conversation_id
    )
    if up_to is not None:
        own = own.where(Message.seq <= up_to)
    return own.order_by(Message.seq.desc()).limit(1).scalar_subquery()


def _newest_own_on_postgresql(up_to: ColumnElement[int] | None) -> ScalarSelect[int]:
    """Do the same as `_newest_own`.

    For two equal values, PostgreSQL may choose the index of the conversation, and visit all messages in it to find that
    a member has sent none. Only one index serves this range and order. Its last entry may be that of another user.
    """
    is_own = and_(Message.user_id == Participant.user_id, Message.conversation_id == Participant.conversation_id)
    columns: list[Any] = [Message.user_id, Message.conversation_id, Message.seq]
    bounds: list[Any] = [Participant.user_id, Participant.conversation_id]
    if up_to is not None:
        bounds.append(up_to)
    newest = select(case((is_own, Message.sender_seq))).where(tuple_(*columns[: len(bounds)]) <= tuple_(*bounds))
    return newest.order_by(*(each.desc() for each in columns)).limit(1).scalar_subquery()


_UNREAD: Final = {dialect: Prepared[str, str, int](_unread_query(dialect)) for dialect in ("sqlite", "postgresql")}
_MEMBERS: Final = Prepared[str, str, Role, bool](
    with_roles(
        select(
            Participant.conversation_id,
            Participant.user_id,
            role_of().label("role"),
            Participant.hidden_at.is_not(None).label("hides"),
        )
    )
    .where(Participant.conversation_id.in_(bindparam("conversation_ids", expanding=True)))
    .order_by(Participant.joined_at, Participant.user_id)
)
_NEWEST: Final = Prepared[*tuple[Any, ...]](
    select(*MESSAGE_COLUMNS)
    .join(Conversation, and_(Conversation.id == Message.conversation_id, Conversation.last_seq == Message.seq))
    .where(Conversation.id.in_(bindparam("conversation_ids", expanding=True)))
)
