"""What somebody sees of conversations from outside: who is in them, what was said last, how much is unread.

A whole list costs the same number of queries as a single conversation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from famichat.chat.access import Access, read_up_to, role_of, with_roles
from famichat.chat.records.conversation import Conversation, Role
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.chat.records.receipt import Receipt
from famichat.storage.epoch import current_epoch


@dataclass(frozen=True, slots=True)
class ConversationMember:
    """One person in a conversation; `hides` says whether this person has hidden it."""

    user_id: str
    role: Role
    hides: bool


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation, as one person sees it from outside.

    Attributes:
        access: whose view this is, and of what.
        epoch: the history in which the conversation's positions count.
        members: everybody in it.
        last_message: the newest message, if this person may see it.
        unread: how many messages of others came after what this person has read on any device.
    """

    access: Access
    epoch: str
    members: tuple[ConversationMember, ...]
    last_message: Message | None
    unread: int


def conversation_summaries(session: Session, accesses: Sequence[Access]) -> list[ConversationSummary]:
    """Look at conversations from outside, in the given order."""
    epoch = current_epoch(session)
    members = _members(session, {access.conversation.id for access in accesses})
    last_messages = _last_messages(session, accesses)
    unread = unread_counts(session, accesses)
    return [
        ConversationSummary(
            access,
            epoch,
            tuple(members[access.conversation.id]),
            _visible(last_messages.get(access.conversation.id), access),
            unread[access.conversation.id, access.user_id],
        )
        for access in accesses
    ]


def unread_counts(session: Session, accesses: Sequence[Access]) -> dict[tuple[str, str], int]:
    """How much each person has not read, by conversation and person.

    That is what others said after the furthest that this person has read on any device. It is computed from places
    (`seq` has no gaps), and only a person's own messages are counted one by one: the price is that of what somebody
    said since reading last, not of what everybody did.
    """
    ids = {access.conversation.id for access in accesses}
    people = {access.user_id for access in accesses}
    furthest = (
        select(Receipt.conversation_id, Receipt.user_id, func.max(Receipt.read_seq).label("seq"))
        .where(Receipt.conversation_id.in_(ids), Receipt.user_id.in_(people))
        .group_by(Receipt.conversation_id, Receipt.user_id)
        .subquery()
    )
    read = read_up_to(furthest.c.seq)
    own = (
        select(func.count())
        .where(
            Message.user_id == Participant.user_id,
            Message.conversation_id == Participant.conversation_id,
            Message.seq > read,
        )
        .correlate(Participant, furthest)
        .scalar_subquery()
    )
    counts = (
        select(Participant.conversation_id, Participant.user_id, (Conversation.last_seq - read - own).label("unread"))
        .join_from(Participant, Conversation, Conversation.id == Participant.conversation_id)
        .outerjoin(
            furthest,
            and_(furthest.c.conversation_id == Participant.conversation_id, furthest.c.user_id == Participant.user_id),
        )
        .where(Participant.conversation_id.in_(ids), Participant.user_id.in_(people))
    )
    return {(row.conversation_id, row.user_id): row.unread for row in session.execute(counts)}


def _members(session: Session, conversation_ids: set[str]) -> dict[str, list[ConversationMember]]:
    found: dict[str, list[ConversationMember]] = {conversation_id: [] for conversation_id in conversation_ids}
    query = (
        with_roles(select(Participant, role_of().label("role")))
        .where(Participant.conversation_id.in_(conversation_ids))
        .order_by(Participant.joined_at, Participant.user_id)
    )
    for row in session.execute(query):
        place = row.Participant
        found[place.conversation_id].append(ConversationMember(place.user_id, row.role, place.hidden_at is not None))
    return found


def _last_messages(session: Session, accesses: Sequence[Access]) -> dict[str, Message]:
    ids = {access.conversation.id for access in accesses}
    newest = (
        select(Message)
        .join(Conversation, and_(Conversation.id == Message.conversation_id, Conversation.last_seq == Message.seq))
        .where(Conversation.id.in_(ids))
    )
    return {message.conversation_id: message for message in session.execute(newest).scalars()}


def _visible(message: Message | None, access: Access) -> Message | None:
    return message if message is not None and access.can_see(message.seq) else None
