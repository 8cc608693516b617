"""The JSON of a conversation, identical on every transport."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from famichat.chat.access import Access, everyones_access
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.conversations.summary import ConversationSummary, conversation_summaries
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import row_views
from famichat.storage.base import now, rfc3339
from famichat.storage.crypto.vault import Vault


def conversation_view(session: Session, access: Access, policies: EncryptionPolicies, vault: Vault) -> ConversationView:
    """Build the JSON of one conversation for the member of `access`."""
    return conversation_views(session, [access], policies, vault)[0]


def conversation_views(
    session: Session, accesses: Sequence[Access], policies: EncryptionPolicies, vault: Vault
) -> list[ConversationView]:
    """Build the JSON of conversations, each for the member of its access, with a constant number of queries."""
    seen = conversation_summaries(session, accesses)
    last = {each.id: each for each in (overview.last_message for overview in seen) if each is not None}
    last_views = row_views(session, list(last.values()), vault)
    return [_conversation(overview, policies, last_views) for overview in seen]


def views_by_member(
    session: Session, conversation_id: str, policies: EncryptionPolicies, vault: Vault
) -> dict[str, ConversationView]:
    """Return the conversation as each member sees it, by user id; empty if it has no members."""
    accesses = everyones_access(session, conversation_id)
    views = conversation_views(session, accesses, policies, vault)
    return {access.user_id: view for access, view in zip(accesses, views, strict=True)}


def _conversation(
    overview: ConversationSummary, policies: EncryptionPolicies, last_views: Mapping[str, MessageView]
) -> ConversationView:
    conversation, participant = overview.access.conversation, overview.access.participant
    last, required_once = overview.last_message, conversation.encryption_required
    return {
        "id": conversation.id,
        "type": conversation.type,
        "family_id": conversation.family_id,
        "name": conversation.name,
        "created_at": rfc3339(conversation.created_at),
        "epoch": overview.epoch,
        "last_seq": conversation.last_seq,
        "last_change": conversation.last_change,
        "history": conversation.history,
        "members": [{"user_id": member.user_id, "role": member.role} for member in overview.members],
        "encryption_policy": policies.of(conversation.type, required_once=required_once),
        "encryption_status": policies.status(conversation.type, required_once=required_once),
        "mls": overview.mls,
        "last_message": None if last is None else last_views[last.id],
        "unread": overview.unread,
        "hidden": participant.hidden_at is not None,
        "hidden_by_users": list(overview.hidden_by),
        "archived": participant.archived_at is not None,
        "pinned": participant.pinned_at is not None,
        "marked_unread": participant.marked_unread_at is not None,
        "muted_until": None if (until := _still(participant.muted_until)) is None else rfc3339(until),
        "contact": overview.contact,
    }


def _still(until: datetime | None) -> datetime | None:
    return until if until is not None and until > now() else None
