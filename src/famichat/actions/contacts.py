"""Blocking users, and ending the contacts of children."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.events.topics import ConversationTopic
from famichat.actions.services import Services
from famichat.chat.access import conversation_for
from famichat.chat.contact import hidden_people
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.conversations.view import views_by_member
from famichat.chat.families.blocks import block, blocked_by, unblock
from famichat.chat.families.guardians import ChildContact, contacts_of_child, end_contact, restore_contact
from famichat.chat.records.contact import Block
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.participant import participants


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A conversation that two users share, after their contact ended or was restored.

    Attributes:
        topic: the conversation.
        pair: the two users.
        hidden: whether the two see each other's presence and typing there no longer.
        views: the conversation as each of its members sees it, by user id; empty unless it is direct.
    """

    topic: ConversationTopic
    pair: tuple[str, str]
    hidden: bool
    views: dict[str, ConversationView]


async def list_blocks(services: Services, actor: Identity) -> list[Block]:
    """Return the blocks that the actor has made, the oldest first.

    Raises:
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(blocked_by, actor.user_id)


async def block_user(services: Services, actor: Identity, user_id: str) -> None:
    """Block a user. The blocked user receives no event.

    Raises:
        OwnAccount: the user is the actor.
        NotFound: the two share no family and no conversation, or there is no such user.
        RateLimited: too many changes.
    """
    await _change(services, actor, (actor.user_id, user_id), lambda s: block(s, actor.user_id, user_id))


async def unblock_user(services: Services, actor: Identity, user_id: str) -> None:
    """Remove a block, if there is one.

    Raises:
        NotFound: the two share no family and no conversation, or there is no such user.
        RateLimited: too many changes.
    """
    await _change(services, actor, (actor.user_id, user_id), lambda s: unblock(s, actor.user_id, user_id))


async def list_child_contacts(services: Services, actor: Identity, family_id: str, child_id: str) -> list[ChildContact]:
    """Return the users with whom a child of the family has a direct conversation, to a guardian.

    Raises:
        NotFound: the actor or the child does not belong to the family.
        NotGuardian: the actor is a child.
        NotChild: the member is not a child.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(contacts_of_child, actor.user_id, family_id, child_id)


async def end_child_contact(
    services: Services, actor: Identity, family_id: str, child_id: str, contact_id: str
) -> None:
    """End the contact of a child with another user, as a guardian. Recorded in the child's account history.

    Raises:
        NotFound: the actor or the child does not belong to the family, or the contact is unknown to the child.
        NotGuardian: the actor is a child.
        NotChild: the member is not a child.
        OwnAccount: the contact is the child.
        RateLimited: too many changes.
    """
    pair = child_id, contact_id
    await _change(services, actor, pair, lambda s: end_contact(s, actor.user_id, family_id, child_id, contact_id))


async def restore_child_contact(
    services: Services, actor: Identity, family_id: str, child_id: str, contact_id: str
) -> None:
    """Allow the contact of a child with another user again. Recorded in the child's account history.

    Raises:
        NotFound: the actor or the child does not belong to the family, or the contact is unknown to the child.
        NotGuardian: the actor is a child.
        NotChild: the member is not a child.
        RateLimited: too many changes.
    """
    pair = child_id, contact_id
    await _change(services, actor, pair, lambda s: restore_contact(s, actor.user_id, family_id, child_id, contact_id))


def changes_in_direct(services: Services, session: Session, user_id: str, ids: Iterable[str]) -> list[ContactChange]:
    """Return the state of a user's direct conversations, after the user joined or left a family."""
    found: list[ContactChange] = []
    for conversation_id in ids:
        conversation = conversation_for(session, user_id, conversation_id).conversation
        others = (each for each in participants(session, conversation_id) if each != user_id)
        found += [_contact_change(services, session, conversation, (user_id, other_id)) for other_id in others]
    return found


def announce_to_both(services: Services, changes: Iterable[ContactChange]) -> None:
    """Announce direct conversations whose contact ended or was restored to both members."""
    for change in changes:
        services.broadcasts.contact_changed(change.topic, change.pair, hidden=change.hidden)
        services.broadcasts.conversation_updated(change.views)


async def _change(
    services: Services, actor: Identity, pair: tuple[str, str], change: Callable[[Session], list[Conversation]]
) -> None:
    services.rate_limits.check("change", actor)

    def work(session: Session) -> list[ContactChange]:
        still_signed_in(session, actor)
        return [_contact_change(services, session, each, pair) for each in change(session)]

    for changed in await services.write(work):
        services.broadcasts.contact_changed(changed.topic, pair, hidden=changed.hidden)
        # The second user of the pair receives no event when contact ends, because it would reveal a block.
        recipients = pair[:1] if changed.hidden else pair
        services.broadcasts.conversation_updated(
            {id_: changed.views[id_] for id_ in recipients if id_ in changed.views}
        )


def _contact_change(
    services: Services, session: Session, conversation: Conversation, pair: tuple[str, str]
) -> ContactChange:
    user_id, other_id = pair
    direct = conversation.type == "direct"
    views = views_by_member(session, conversation.id, services.policies, services.vault) if direct else {}
    access = conversation_for(session, user_id, conversation.id)
    hidden = other_id in hidden_people(session, access, views[user_id]["contact"] if direct else None)
    return ContactChange(ConversationTopic(conversation.type, conversation.id), pair, hidden, views)
