"""Access control: the only way to load a conversation is on behalf of one of its members.

All other functions take the `Access` that `conversation_for` returns, so membership is always checked, in the same
transaction as the operation itself.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, exists, func, select, tuple_
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.chat.errors import NotFound
from famichat.chat.list_cursor import ListCursor
from famichat.chat.records.conversation import Conversation, Role
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.storage.base import Id, UtcDateTime, is_id
from famichat.storage.checksum import are_intact, require_intact


@dataclass(frozen=True, slots=True)
class Access:
    """Proof that a user is a member of a conversation, valid inside the transaction that loaded it.

    Attributes:
        conversation: the conversation.
        participant: the user's membership: the first visible message, and the view settings.
        role: the role granted in a group, the role in the family for a family conversation, otherwise `member`.
    """

    conversation: Conversation
    participant: Participant
    role: Role

    @property
    def user_id(self) -> str:
        """The id of the member."""
        return self.participant.user_id

    @property
    def is_intact(self) -> bool:
        """Whether the rows of the conversation and of the membership are as they were written; reports damage."""
        return are_intact(self.participant, self.conversation)

    def can_see(self, seq: int) -> bool:
        """Return whether this person may see the message at `seq`."""
        return is_visible(seq, self.participant.visible_from_seq)

    def first_visible(self, after_seq: int = 0) -> int:
        """Return the first position after `after_seq` whose message this person may see."""
        return max(self.participant.visible_from_seq, after_seq + 1)

    def visible_messages(self) -> Select[Message]:
        """Return a query for the messages of the conversation that this person may see."""
        return select(Message).where(
            Message.conversation_id == self.conversation.id, Message.seq >= self.first_visible()
        )


def is_visible(seq: int, visible_from_seq: int) -> bool:
    """Return whether a participant may see a message: members who join later do not see earlier messages.

    The rule is compared here and in `chat.journal.statements` only; a test checks that.

    Args:
        seq: the position of the message.
        visible_from_seq: `Participant.visible_from_seq`.
    """
    return seq >= visible_from_seq


def read_up_to(read_seq: ColumnElement[int]) -> ColumnElement[int]:
    """Return an SQL expression for the position up to which a participant has nothing unread.

    Args:
        read_seq: the furthest position that the participant has read; NULL for none.
    """
    before = Participant.visible_from_seq - 1
    return case((read_seq > before, read_seq), else_=before)


def conversation_for(
    session: Session,
    user_id: str,
    conversation_id: str,
    type: str | None = None,  # noqa: A002 - the contract's word
    *,
    device_id: str | None = None,
) -> Access:
    """Return a user's access to a conversation.

    Args:
        session: the transaction; the access is valid only inside it.
        user_id: the user.
        conversation_id: the conversation; may be any untrusted text.
        type: the type that the client expects, or None to accept any.
        device_id: the user's device, which must still be signed in; None if the caller has authenticated the request.

    Raises:
        NotFound: the conversation does not exist, has another type, the user is not a member, the device is signed out,
            or an id is malformed. The cases are indistinguishable, so that outsiders cannot probe for conversations.
        DataDamaged: the conversation, the membership or the role of the user is damaged.
    """
    if not (is_id(conversation_id) and is_id(user_id)):
        raise NotFound
    wanted = {"conversation_id": conversation_id, "user_id": user_id}
    if device_id is None:
        row = session.execute(_ACCESS, wanted).one_or_none()
    else:
        row = session.execute(_ACCESS_OF_DEVICE, wanted | {"device_id": device_id}).one_or_none()
    if row is None:
        raise NotFound
    require_intact(row.Participant, row.Conversation, row.GroupPrivilege, row.FamilyMembership)
    if type not in {None, row.Conversation.type}:
        raise NotFound
    return _access(row)


def conversations_of(
    session: Session,
    user_id: str,
    *,
    hidden: bool = False,
    archived: bool = False,
    after: ListCursor | None = None,
    limit: int | None = None,
) -> list[Access]:
    """Return the conversations of a user, the most recently active first, also damaged ones (`Access.is_intact`).

    Args:
        session: the transaction.
        user_id: the user.
        hidden: return only conversations that the user has hidden, or only those that are not hidden.
        archived: likewise for archived conversations.
        after: only the conversations behind this position of the list.
        limit: the maximum number of conversations; None for all.
    """
    mine = _accesses().where(
        Participant.user_id == user_id,
        Participant.hidden_at.is_not(None) if hidden else Participant.hidden_at.is_(None),
        Participant.archived_at.is_not(None) if archived else Participant.archived_at.is_(None),
    )
    if after is not None:
        position = tuple_(Conversation.updated_at, Conversation.id)
        mine = mine.where(position < tuple_(after.updated_at, after.id, types=[UtcDateTime(), Id()]))
    newest_first = mine.order_by(Conversation.updated_at.desc(), Conversation.id.desc()).limit(limit)
    return [_access(row) for row in session.execute(newest_first)]


def everyones_access(session: Session, conversation_id: str) -> list[Access]:
    """Return the access of every member of a conversation, to build the view of each. Damaged rows give no access."""
    statement = _accesses().where(Participant.conversation_id == conversation_id).order_by(Participant.user_id)
    accesses = map(_access, session.execute(statement))
    return [access for access in accesses if access.is_intact]


def role_of() -> Any:
    """Return the SQL expression for a participant's role in a query built by `with_roles`: `admin` or `member`."""
    # A child of a family is a plain member of its conversation.
    return func.coalesce(GroupPrivilege.role, func.nullif(FamilyMembership.role, "child"), "member")


def with_roles(query: Select[Any]) -> Select[Any]:
    """Join a query of participants with their conversations and with the tables that determine their roles."""
    return (
        query.join_from(Participant, Conversation, Conversation.id == Participant.conversation_id)
        .outerjoin(
            GroupPrivilege,
            and_(
                GroupPrivilege.conversation_id == Participant.conversation_id,
                GroupPrivilege.user_id == Participant.user_id,
            ),
        )
        .outerjoin(
            FamilyMembership,
            and_(
                Conversation.type == "family",
                FamilyMembership.family_id == Conversation.family_id,
                FamilyMembership.user_id == Participant.user_id,
            ),
        )
    )


def _accesses() -> Select[Any]:
    return with_roles(select(Participant, Conversation, role_of().label("role")))


def _access(row: Row[Any]) -> Access:
    return Access(row.Conversation, row.Participant, row.role)


_ACCESS: Final = (
    _accesses()
    .add_columns(GroupPrivilege, FamilyMembership)
    .where(Participant.conversation_id == bindparam("conversation_id"), Participant.user_id == bindparam("user_id"))
)
_ACCESS_OF_DEVICE: Final = _ACCESS.where(
    exists().where(
        Device.id == bindparam("device_id"), Device.user_id == Participant.user_id, Device.revoked_at.is_(None)
    )
)
