"""Creates conversations: one function for each type.

Self, direct and family conversations are unique; creating one that exists returns it. A unique index decides between
concurrent calls (INSERT ... ON CONFLICT DO NOTHING), and all of them return the same row. Broadcast a new conversation
only after the commit: the transaction may run again after a serialization failure.

    created = await database.transaction(lambda session: create_self_conversation(session, user_id))
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.chat.contact import is_kept_apart
from famichat.chat.conversations.rename import checked_name
from famichat.chat.errors import ContactEnded, InvalidMembers, NotFound, OwnAccount
from famichat.chat.lock import lock_conversations
from famichat.chat.records.conversation import Conversation, ConversationType, History
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.participant import Participant, add_participants
from famichat.storage.base import is_id, new_id
from famichat.storage.checksum import insert_values
from famichat.storage.crypto.vault import BlindIndex
from famichat.storage.upsert import insert_for

MIN_GROUP = 3
"""Minimum number of members of a new group, including the creator."""


@dataclass(frozen=True, slots=True)
class CreatedConversation:
    """The requested conversation.

    Attributes:
        conversation: the conversation.
        created: False if it existed already.
        rejoined: True if the user had left this direct conversation, and is a member again.
    """

    conversation: Conversation
    created: bool
    rejoined: bool = False


def create_self_conversation(
    session: Session, user_id: str, *, encryption_required: bool = False
) -> CreatedConversation:
    """Create a user's notes to self, of which each user has at most one.

    Args:
        session: the transaction.
        user_id: the owner and only member.
        encryption_required: whether a new conversation permanently requires ciphertext; ignored if it exists.

    Raises:
        NotFound: the conversation exists and the user is no longer a member.
    """
    return _create_unique(
        session, user_id, [user_id], type="self", owner_id=user_id, encryption_required=encryption_required
    )


def create_direct_conversation(
    session: Session,
    user1_id: str,
    user2_id: str,
    family_id: str | None = None,
    *,
    blind_index: BlindIndex,
    encryption_required: bool = False,
) -> CreatedConversation:
    """Create the conversation of two members of a family, or unhide it for the first of them if it exists.

    A user who has left it becomes a member again, with the whole history. The other one cannot bring that user back.
    A conversation that both have left is deleted.

    Args:
        session: the transaction.
        user1_id: the user who requests it.
        user2_id: the other user.
        family_id: the family to which the conversation belongs; None for the oldest family that both belong to.
        blind_index: computes the keyed hash that makes the pair unique without storing it in readable form.
        encryption_required: see `create_self_conversation`.

    Raises:
        OwnAccount: the two ids are equal.
        ContactEnded: one of the two has blocked the other, or a guardian has ended their contact, and there is no
            conversation yet. An existing one is returned, because its members may read it.
        NotFound: the users share no family, or do not both belong to this one, or one does not exist.
    """
    if user1_id == user2_id:
        raise OwnAccount
    pair = sorted((user1_id, user2_id))
    family_id = _family_of(session, pair, family_id)
    result = _create_unique(
        session,
        user1_id,
        pair,
        type="direct",
        family_id=family_id,
        direct_key=blind_index.digest("direct", *pair, family_id),
        encryption_required=encryption_required,
    )
    if result.created and is_kept_apart(session, user1_id, user2_id):
        raise ContactEnded  # rolls back
    return result


def create_group_conversation(
    session: Session,
    creator_id: str,
    name: str,
    initial_member_ids: Iterable[str],
    family_id: str | None = None,
    *,
    history: History = "joined",
    encryption_required: bool = False,
) -> CreatedConversation:
    """Create a group of three or more members of a family. The creator is its admin, the others are plain members.

    Args:
        session: the transaction.
        creator_id: the creator, who becomes a member.
        name: the name of the group.
        initial_member_ids: the other members; duplicates and the creator's id are ignored.
        family_id: the family; None for the oldest family that all of them belong to.
        history: whether members who are added later see earlier messages (`all`) or not (`joined`).
        encryption_required: see `create_self_conversation`.

    Raises:
        InvalidMembers: there are fewer than `MIN_GROUP` members.
        InvalidName: see `checked_name`.
        NotFound: the users do not all belong to one family, or to this one, or one does not exist.
    """
    user_ids = sorted({creator_id, *initial_member_ids})
    if len(user_ids) < MIN_GROUP:
        raise InvalidMembers(minimum=MIN_GROUP)
    conversation = Conversation(
        id=new_id(),
        type="group",
        name=checked_name(name),
        family_id=_family_of(session, user_ids, family_id),
        created_by_id=creator_id,
        history=history,
        encryption_required=encryption_required,
    )
    session.add(conversation)
    session.flush()
    add_participants(session, conversation.id, user_ids)
    _grant_first_roles(session, conversation.id, creator_id, user_ids)
    return CreatedConversation(conversation, created=True)


def create_family_conversation(
    session: Session, creator_id: str, family_id: str | None = None, *, encryption_required: bool = False
) -> CreatedConversation:
    """Create the conversation of a whole family. Users who join the family later are added to it.

    Args:
        session: the transaction.
        creator_id: any member of the family.
        family_id: the family; None for the oldest family that the user belongs to.
        encryption_required: see `create_self_conversation`.

    Raises:
        NotFound: the user does not belong to this family, or to any.
    """
    family_id = _family_of(session, [creator_id], family_id)
    members = select(FamilyMembership.user_id).where(FamilyMembership.family_id == family_id)
    return _create_unique(
        session,
        creator_id,
        session.execute(members).scalars().all(),
        type="family",
        family_id=family_id,
        encryption_required=encryption_required,
    )


def _create_unique(
    session: Session,
    creator_id: str,
    user_ids: Sequence[str],
    *,
    type: ConversationType,  # noqa: A002 - the contract's word
    encryption_required: bool,
    **unique: Any,
) -> CreatedConversation:
    """Create the conversation that the columns `unique` identify, with these members, or return the existing one."""
    # No row is returned on a conflict, also when a concurrent transaction inserted it. Selecting before inserting would
    # let both transactions insert.
    new = Conversation(type=type, created_by_id=creator_id, encryption_required=encryption_required, **unique)
    created_id = session.execute(
        insert_for(session, Conversation).values(insert_values(new)).on_conflict_do_nothing().returning(Conversation.id)
    ).scalar_one_or_none()
    conversation = session.execute(select(Conversation).filter_by(type=type, **unique)).scalar_one()
    if created_id is not None:
        add_participants(session, conversation.id, user_ids)
        return CreatedConversation(conversation, created=True)
    if type == "direct" and session.get(Participant, (conversation.id, creator_id)) is None:
        lock_conversations(session, [conversation.id])
        add_participants(session, conversation.id, [creator_id])
        return CreatedConversation(conversation, created=False, rejoined=True)
    _unhide(session, conversation.id, creator_id)
    return CreatedConversation(conversation, created=False)


def _unhide(session: Session, conversation_id: str, user_id: str) -> None:
    participant = session.get(Participant, (conversation_id, user_id))
    if participant is None:
        raise NotFound
    participant.hidden_at = None
    session.flush()


def _family_of(session: Session, user_ids: Sequence[str], family_id: str | None) -> str:
    """Return the family to which all these users belong: the given one, or the oldest.

    Raises:
        NotFound: there is no such family, or an id is malformed.
    """
    if not all(is_id(each) for each in (*user_ids, *([] if family_id is None else [family_id]))):
        raise NotFound
    shared = (
        select(FamilyMembership.family_id)
        .where(FamilyMembership.user_id.in_(user_ids))
        .group_by(FamilyMembership.family_id)
        .having(func.count() == len(user_ids))
        .order_by(FamilyMembership.family_id)  # ids are UUIDv7 (RFC 9562), which sort by time of creation
        .limit(1)
    )
    if family_id is not None:
        shared = shared.where(FamilyMembership.family_id == family_id)
    result = session.execute(shared).scalar_one_or_none()
    if result is None:
        raise NotFound
    return result


def _grant_first_roles(session: Session, conversation_id: str, creator_id: str, user_ids: Iterable[str]) -> None:
    session.add_all(
        GroupPrivilege(
            conversation_id=conversation_id,
            user_id=user_id,
            role="admin" if user_id == creator_id else "member",
            granted_by_id=creator_id,
        )
        for user_id in user_ids
    )
    session.flush()
