"""How conversations are made: one function for each type, and no other way.

Asking for what exists gives what exists. When many ask at once, a unique index decides which row there is (INSERT ...
ON CONFLICT DO NOTHING), and everybody gets that one. Announce a conversation that was made after the commit: these
functions may run again when they lose a race.

    created = await database.transaction(lambda session: create_self_conversation(session, user_id))
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.chat.conversations.rename import checked_name
from famichat.chat.errors import InvalidMembers, NotFound
from famichat.chat.records.conversation import Conversation, ConversationType, History
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.participant import Participant, add_participants
from famichat.storage.base import is_id, new_id
from famichat.storage.crypto.vault import BlindIndex
from famichat.storage.upsert import insert_for

MIN_GROUP = 3


@dataclass(frozen=True, slots=True)
class CreatedConversation:
    """A conversation that was asked for. `made` is False when it was there already."""

    conversation: Conversation
    made: bool


def create_self_conversation(
    session: Session, user_id: str, *, encryption_required: bool = False
) -> CreatedConversation:
    """Somebody's notes to self: one for each person, for that person alone.

    Args:
        session: the transaction.
        user_id: whose notes.
        encryption_required: whether a new one takes ciphertext only, for ever; as in the other functions here.
    """
    return _the_one(session, user_id, [user_id], type="self", owner_id=user_id, encryption_required=encryption_required)


def create_direct_conversation(
    session: Session,
    user1_id: str,
    user2_id: str,
    family_id: str | None = None,
    *,
    blind_index: BlindIndex,
    encryption_required: bool = False,
) -> CreatedConversation:
    """The conversation of two people of one family; on behalf of the first of them, who sees it again if it was hidden.

    Args:
        session: the transaction.
        user1_id: who asks.
        user2_id: the other one.
        family_id: the family in which they talk. Without one it is the oldest of those that they share.
        blind_index: makes the pair unique without storing it readably.
        encryption_required: see `create_self_conversation`.

    Raises:
        InvalidMembers: they are one and the same person.
        NotFound: they share no family, or not this one; or there is no such person, which is not told apart.
    """
    if user1_id == user2_id:
        raise InvalidMembers
    pair = sorted((user1_id, user2_id))
    family_id = _family_of(session, pair, family_id)
    return _the_one(
        session,
        user1_id,
        pair,
        type="direct",
        family_id=family_id,
        direct_key=blind_index.digest("direct", *pair, family_id),
        encryption_required=encryption_required,
    )


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
    """A new group of three or more people of one family. The creator is its admin, the others are members.

    Args:
        session: the transaction.
        creator_id: who makes it, and is in it.
        name: what it is called.
        initial_member_ids: the others; naming somebody twice, or the creator, changes nothing.
        family_id: the family. Without one it is the oldest to which all of them belong.
        history: what those who are added later see of the past: nothing that was said before they came, or all of it.
        encryption_required: see `create_self_conversation`.

    Raises:
        InvalidMembers: fewer than three.
        InvalidName: see `checked_name`.
        NotFound: they do not all belong to one family, or not to this one; or somebody of them does not exist.
    """
    people = sorted({creator_id, *initial_member_ids})
    if len(people) < MIN_GROUP:
        raise InvalidMembers(minimum=MIN_GROUP)
    conversation = Conversation(
        id=new_id(),
        type="group",
        name=checked_name(name),
        family_id=_family_of(session, people, family_id),
        created_by_id=creator_id,
        history=history,
        encryption_required=encryption_required,
    )
    session.add(conversation)
    session.flush()
    add_participants(session, conversation.id, people)
    _grant_first_roles(session, conversation.id, creator_id, people)
    return CreatedConversation(conversation, made=True)


def create_family_conversation(
    session: Session, creator_id: str, family_id: str | None = None, *, encryption_required: bool = False
) -> CreatedConversation:
    """The conversation of a whole family. Anybody of the family may ask for it; who joins later is in it from then on.

    Args:
        session: the transaction.
        creator_id: who asks.
        family_id: which family. Without one it is the oldest to which that person belongs.
        encryption_required: see `create_self_conversation`.

    Raises:
        NotFound: the person does not belong to this family, or to any.
    """
    family_id = _family_of(session, [creator_id], family_id)
    roster = select(FamilyMembership.user_id).where(FamilyMembership.family_id == family_id)
    return _the_one(
        session,
        creator_id,
        session.execute(roster).scalars().all(),
        type="family",
        family_id=family_id,
        encryption_required=encryption_required,
    )


def _the_one(
    session: Session,
    creator_id: str,
    people: Sequence[str],
    *,
    type: ConversationType,  # noqa: A002 - the contract's word
    encryption_required: bool,
    **unique: Any,
) -> CreatedConversation:
    """Make the one conversation for which `unique` stands, with these people, or find it."""
    made_id = session.execute(
        insert_for(session, Conversation)
        .values(type=type, created_by_id=creator_id, encryption_required=encryption_required, **unique)
        .on_conflict_do_nothing()
        .returning(Conversation.id)
    ).scalar_one_or_none()
    conversation = session.execute(select(Conversation).filter_by(type=type, **unique)).scalar_one()
    if made_id is not None:
        add_participants(session, conversation.id, people)
    else:
        _show_again(session, conversation.id, creator_id)
    return CreatedConversation(conversation, made=made_id is not None)


def _show_again(session: Session, conversation_id: str, user_id: str) -> None:
    participant = session.get(Participant, (conversation_id, user_id))
    if participant is None:
        raise NotFound
    participant.hidden_at = None
    session.flush()


def _family_of(session: Session, people: Sequence[str], family_id: str | None) -> str:
    """The family to which all these people belong: the given one, or the oldest.

    Raises:
        NotFound: there is none.
    """
    if not all(is_id(each) for each in (*people, *([] if family_id is None else [family_id]))):
        raise NotFound
    shared = (
        select(FamilyMembership.family_id)
        .where(FamilyMembership.user_id.in_(people))
        .group_by(FamilyMembership.family_id)
        .having(func.count() == len(people))
        .order_by(FamilyMembership.family_id)  # ids made earlier sort earlier
        .limit(1)
    )
    if family_id is not None:
        shared = shared.where(FamilyMembership.family_id == family_id)
    found = session.execute(shared).scalar_one_or_none()
    if found is None:
        raise NotFound
    return found


def _grant_first_roles(session: Session, conversation_id: str, creator_id: str, people: Iterable[str]) -> None:
    session.add_all(
        GroupPrivilege(
            conversation_id=conversation_id,
            user_id=user_id,
            role="admin" if user_id == creator_id else "member",
            granted_by_id=creator_id,
        )
        for user_id in people
    )
    session.flush()
