"""The payload types of events that are not messages or receipts: `docs/protocol.md` lists all events.

`endpoint/channels/events.py` maps each event to its type.
"""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic needs this TypedDict on Python 3.11

from famichat.accounts.profile import Profile
from famichat.accounts.user import Color
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.families.reset_agreement import PendingReset
from famichat.chat.messages.schema import MessageView
from famichat.chat.mls.state import MlsView
from famichat.chat.records.conversation import ConversationType
from famichat.storage.base import rfc3339


class ConversationChanged(TypedDict):
    """`conversation_created`, `conversation_updated`: the conversation as the receiving user sees it now."""

    conversation: ConversationView


class ConversationLeft(TypedDict):
    """`conversation_left`: the user left the conversation or was removed from it."""

    conversation_id: str
    type: ConversationType


class UnreadCount(TypedDict):
    """`unread`: how many messages of others the user has not read in a conversation."""

    conversation_id: str
    last_seq: int
    unread: int


class LastMessage(TypedDict):
    """`last_message`: the newest message of a conversation, which is new or has changed."""

    conversation_id: str
    type: ConversationType
    message: MessageView


class ProfileView(TypedDict):
    """A profile as other people see it. Null fields are not set."""

    username: str
    display_name: Annotated[str | None, Field(description="The name to show; if null, show the username.")]
    color: Color | None
    picture: Annotated[
        str | None, Field(description="Path of the avatar, a square WebP image; readable by the user's contacts.")
    ]


class PersonView(ProfileView):
    """A person as other people see them."""

    user_id: str


class PersonUpdated(TypedDict):
    """`person_updated`: the user's name, colour or picture changed."""

    person: PersonView


class FamilyUpdated(TypedDict):
    """`family_updated`: the role of a member of one of the user's families changed."""

    family_id: str


class MarksChanged(TypedDict):
    """`marks_changed`: a message was pinned, or the user starred or hid one, or undid that."""

    conversation_id: str


class DeviceRevoked(TypedDict):
    """`device_revoked`: one of the user's devices was signed out."""

    device_id: str


class ResetLinkCreated(TypedDict):
    """`reset_link_created`: a family admin or the operator created a link to reset the user's password.

    `by_name` is null for the operator. Anyone who has the link can use it until `expires_at`.
    """

    by_name: str | None
    expires_at: str


class ResetAgreementView(TypedDict):
    """What an admin asked for: that a second admin agrees to reset the password of an admin.

    `agreed_by_id` is null until then. At `expires_at` it can no longer be agreed to or, afterwards, used.
    """

    user_id: str
    family_id: str
    asked_by_id: str
    agreed_by_id: str | None
    expires_at: str


class ResetAgreementUpdated(TypedDict):
    """`reset_agreement_updated`: admins of a family want to reset the password of a user.

    `agreement` is null if it was cancelled.
    """

    family_id: str
    user_id: str
    agreement: ResetAgreementView | None


class Head(TypedDict):
    """`head`: the position of the newest message and the newest change of a conversation, and its MLS group."""

    last_seq: int
    last_change: int
    mls: MlsView | None


class Heads(TypedDict):
    """`heads`: the positions of several conversations, by their ids."""

    heads: dict[str, Head]


class EpochChanged(TypedDict):
    """`epoch_changed`: a commit began a new epoch of the conversation's MLS group.

    `since_seq` is the position of the newest message before it. `commit` is in base64url. It is null if the commit was
    accepted by another node: the client fetches it.
    """

    generation: int
    epoch: int
    commit: str | None
    user_id: str
    device_id: str
    since_seq: int


class WelcomeWaiting(TypedDict):
    """`welcome`: the device was added to an MLS group, and fetches its Welcome. Only this device receives it."""

    conversation_id: str


class KeyShared(TypedDict):
    """`key_share`: keys for the device are waiting. Only this device receives it."""

    conversation_id: str | None


class KeyRequested(TypedDict):
    """`key_request`: a device asks for keys of a conversation or, if it is null, of the user's own account."""

    id: str
    user_id: str
    device_id: str
    conversation_id: str | None


class KeyPackagesLow(TypedDict):
    """`key_packages_low`: the device has few key packages left. Only this device receives it."""

    device_id: str
    count: int


class Typing(TypedDict):
    """`typing`: a user started or stopped typing on a device."""

    user_id: str
    device_id: str
    typing: bool


class PresenceMeta(TypedDict):
    """One online device."""

    phx_ref: str
    device_id: str


class PresenceMetas(TypedDict):
    """The online devices of one user."""

    metas: list[PresenceMeta]


class PresenceDiff(TypedDict):
    """`presence_diff`: users and devices that came online or went offline, by user id."""

    joins: dict[str, PresenceMetas]
    leaves: dict[str, PresenceMetas]


class ErrorReply(TypedDict):
    """The response of a reply with status `error`."""

    reason: str
    retry_in_ms: NotRequired[int]
    details: NotRequired[dict[str, Any]]


class UserJoinReply(TypedDict):
    """The reply to a join of a `user:` topic.

    `reset_agreement` is present only if admins want to reset the user's password.
    """

    user_id: str
    device_id: str
    reset_agreement: NotRequired[ResetAgreementView]


PresenceState = dict[str, PresenceMetas]
"""`presence_state`: the online users and their devices, by user id."""


def reset_agreement_view(pending: PendingReset) -> ResetAgreementView:
    """Return an agreement as HTTP responses and broadcasts carry it."""
    return {
        "user_id": pending.user_id,
        "family_id": pending.family_id,
        "asked_by_id": pending.asked_by_id,
        "agreed_by_id": pending.agreed_by_id,
        "expires_at": rfc3339(pending.expires_at),
    }


def profile_view(profile: Profile) -> ProfileView:
    """Return a profile as HTTP responses and broadcasts carry it."""
    avatar_id = profile.picture_id
    return {
        "username": profile.username,
        "display_name": profile.display_name,
        "color": profile.color,
        "picture": None if avatar_id is None else f"/api/v1/people/{profile.user_id}/pictures/{avatar_id}",
    }


def person_view(profile: Profile) -> PersonView:
    """Return a person as HTTP responses and broadcasts carry them."""
    return {"user_id": profile.user_id, **profile_view(profile)}
