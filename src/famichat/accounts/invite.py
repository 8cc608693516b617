"""Invites: each lets one person join one family, until it expires."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, LargeBinary, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.errors import InvalidInvite
from famichat.accounts.sign_in.token import hash_secret, new_secret
from famichat.storage.base import CLOCK_TOLERANCE, Base, Created, Id, PrimaryKey, is_id, new_id, now

DEFAULT_LIFE = timedelta(days=7)
MAX_LIFE = timedelta(days=30)
RETRY_LIFE = timedelta(days=1)
"""How long the user who accepted an invite can repeat the request."""


class Invite(Base):
    """An invite. Its token is stored as SHA-256; anyone who has the token can join, once."""

    __tablename__ = "accounts_invites"
    __table_args__ = (CheckConstraint("role IN ('admin', 'member', 'child')", name="role"),)

    id: Mapped[PrimaryKey]
    family_id: Mapped[str] = mapped_column(Id, ForeignKey("families.id", ondelete="CASCADE"), index=True)
    role: Mapped[Literal["admin", "member", "child"]] = mapped_column(String(16))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_by_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="SET NULL"))
    created_at: Mapped[Created]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="SET NULL"))
    revoked_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class IssuedInvite:
    """An invite and its token, which is available only here. `created` is false for a repeated request."""

    invite: Invite
    token: str
    created: bool = True


def create_invite(
    session: Session,
    family_id: str,
    created_by_id: str | None,
    role: Literal["admin", "member", "child"] = "member",
    life: timedelta = DEFAULT_LIFE,
) -> IssuedInvite:
    """Create an invite. Check first that the inviting user is an admin: `families.family.require_admin`.

    Args:
        session: the transaction.
        family_id: the family.
        created_by_id: the inviting user; None for the server operator.
        role: the role of the invited person.
        life: how long the invite is valid, at most `MAX_LIFE`.

    Raises:
        ValueError: `life` is out of range.
    """
    if not timedelta(0) < life <= MAX_LIFE:
        raise ValueError(f"an invite is valid for at most {MAX_LIFE.days} days")
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


def reissue_invite(session: Session, invite_id: str) -> IssuedInvite:
    """Return an open invite with a new token, because the response with the former one was lost.

    Raises:
        InvalidInvite: it can no longer be accepted.
    """
    invite = session.execute(select(Invite).where(Invite.id == invite_id, *_is_open())).scalar_one_or_none()
    if invite is None:
        raise InvalidInvite
    token = new_secret()
    invite.token_hash = hash_secret(token)
    session.flush()
    return IssuedInvite(invite, token, created=False)


def accepted_invite(session: Session, token: str) -> Invite:
    """Return the invite with this token that was accepted less than `RETRY_LIFE` ago, for a repeated request.

    Raises:
        InvalidInvite: it does not exist, or was not accepted in this time.
    """
    is_recent = Invite.accepted_at.between(now() - RETRY_LIFE, now() + CLOCK_TOLERANCE)
    same = select(Invite).where(Invite.token_hash == hash_secret(token), is_recent)
    invite = session.execute(same).scalar_one_or_none()
    if invite is None:
        raise InvalidInvite
    return invite


def find_invite(session: Session, token: str) -> Invite:
    """Return the open invite with this token.

    Raises:
        InvalidInvite: it does not exist or can no longer be accepted; the reason is not revealed.
    """
    same = select(Invite).where(Invite.token_hash == hash_secret(token), *_is_open())
    invite = session.execute(same).scalar_one_or_none()
    if invite is None:
        raise InvalidInvite
    return invite


def use_invite(session: Session, invite: Invite, user_id: str) -> None:
    """Mark an invite as accepted. If several users try at once, one succeeds.

    Raises:
        InvalidInvite: another user accepted it first.
    """
    taken = update(Invite).where(Invite.id == invite.id, *_is_open()).values(accepted_at=now(), accepted_by_id=user_id)
    if session.execute(taken.returning(Invite.id)).scalar_one_or_none() is None:
        raise InvalidInvite


def open_invites(session: Session, family_id: str) -> list[Invite]:
    """Return the open invites into a family, oldest first."""
    still_open = select(Invite).where(Invite.family_id == family_id, *_is_open()).order_by(Invite.id)
    return list(session.execute(still_open).scalars())


def revoke_invite(session: Session, family_id: str, invite_id: str) -> None:
    """Revoke an invite.

    Raises:
        InvalidInvite: the family has no open invite with this id.
    """
    if not is_id(invite_id):
        raise InvalidInvite
    revocation = (
        update(Invite)
        .where(Invite.id == invite_id, Invite.family_id == family_id, *_is_open())
        .values(revoked_at=now())
        .returning(Invite.id)
    )
    if session.execute(revocation).scalar_one_or_none() is None:
        raise InvalidInvite


def revoke_invites_by(session: Session, family_id: str, user_id: str) -> None:
    """Revoke the open invites of a user who is no longer an admin of the family."""
    statement = update(Invite).where(Invite.family_id == family_id, Invite.created_by_id == user_id, *_is_open())
    session.execute(statement.values(revoked_at=now()))


def _is_open() -> tuple[ColumnElement[bool], ...]:
    # An invite that expires later than any valid one was created while the clock was ahead.
    is_current = Invite.expires_at.between(now(), now() + MAX_LIFE + CLOCK_TOLERANCE)
    return (Invite.accepted_at.is_(None), Invite.revoked_at.is_(None), is_current)
