"""An invitation into one family, for one person, for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, LargeBinary, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.errors import InvalidInvite
from famichat.accounts.sign_in.token import hash_secret, new_secret
from famichat.storage.base import Base, Created, Id, PrimaryKey, is_id, new_id, now

DEFAULT_LIFE = timedelta(days=7)
MAX_LIFE = timedelta(days=30)


class Invite(Base):
    """One invitation. Its token is kept as a SHA-256 only; whoever holds the token may join once."""

    __tablename__ = "accounts_invites"
    __table_args__ = (CheckConstraint("role IN ('admin', 'member')", name="role"),)

    id: Mapped[PrimaryKey]
    family_id: Mapped[str] = mapped_column(Id, ForeignKey("families.id", ondelete="CASCADE"), index=True)
    role: Mapped[Literal["admin", "member"]] = mapped_column(String(16))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_by_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="SET NULL"))
    created_at: Mapped[Created]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="SET NULL"))
    revoked_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class IssuedInvite:
    """A new invitation. Its token is told once, here."""

    invite: Invite
    token: str


def create_invite(
    session: Session,
    family_id: str,
    created_by_id: str | None,
    role: Literal["admin", "member"] = "member",
    life: timedelta = DEFAULT_LIFE,
) -> IssuedInvite:
    """Invite one person into a family. Ask first whether the one who invites may: `chat.family.require_admin`.

    The operator, who invites from the server's own terminal, has no account there: then `created_by_id` is None.
    """
    if not timedelta(0) < life <= MAX_LIFE:
        raise ValueError(f"an invitation lives for up to {MAX_LIFE.days} days")
    token = new_secret()
    invite = Invite(
        id=new_id(),
        family_id=family_id,
        role=role,
        token_hash=hash_secret(token),
        created_by_id=created_by_id,
        expires_at=now() + life,
    )
    session.add(invite)
    session.flush()
    return IssuedInvite(invite, token)


def find_invite(session: Session, token: str) -> Invite:
    """The invitation that a token stands for, if it can still be accepted.

    Raises:
        InvalidInvite: it cannot, for whatever reason.
    """
    same = select(Invite).where(Invite.token_hash == hash_secret(token), *_is_open())
    invite = session.execute(same).scalar_one_or_none()
    if invite is None:
        raise InvalidInvite
    return invite


def use_invite(session: Session, invite: Invite, user_id: str) -> None:
    """Use an invitation up, for one person. Of many who try at once, one succeeds.

    Raises:
        InvalidInvite: somebody was faster.
    """
    taken = update(Invite).where(Invite.id == invite.id, *_is_open()).values(accepted_at=now(), accepted_by_id=user_id)
    if session.execute(taken.returning(Invite.id)).scalar_one_or_none() is None:
        raise InvalidInvite


def open_invites(session: Session, family_id: str) -> list[Invite]:
    """The invitations into a family that can still be accepted, the oldest first."""
    still_open = select(Invite).where(Invite.family_id == family_id, *_is_open()).order_by(Invite.id)
    return list(session.execute(still_open).scalars())


def revoke_invite(session: Session, family_id: str, invite_id: str) -> None:
    """Take an invitation back.

    Raises:
        InvalidInvite: the family has none of this id that could still be accepted.
    """
    if not is_id(invite_id):
        raise InvalidInvite
    taken_back = (
        update(Invite)
        .where(Invite.id == invite_id, Invite.family_id == family_id, *_is_open())
        .values(revoked_at=now())
        .returning(Invite.id)
    )
    if session.execute(taken_back).scalar_one_or_none() is None:
        raise InvalidInvite


def revoke_invites_by(session: Session, family_id: str, user_id: str) -> None:
    """Take back what somebody, who is no admin of the family any more, has invited."""
    theirs = update(Invite).where(Invite.family_id == family_id, Invite.created_by_id == user_id, *_is_open())
    session.execute(theirs.values(revoked_at=now()))


def _is_open() -> tuple[ColumnElement[bool], ...]:
    return (Invite.accepted_at.is_(None), Invite.revoked_at.is_(None), Invite.expires_at > now())
