"""Two family admins agree to reset the password of another admin.

A link to reset a password gives its holder the account, so one admin alone cannot create one for another admin
(`admin.create_reset_link`). One admin asks, a second one agrees within an hour, and then the first one can create the
link within an hour. The user can cancel at any time. Both admins must have been admins for a week: otherwise an admin
could invite a second account, make it an admin, and agree with it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from famichat.accounts import audit_log
from famichat.accounts.audit_log import AuditEvent, record
from famichat.accounts.sign_in.reset import withdraw_reset_link
from famichat.chat.errors import NeedsOperator, NeedsSecondAdmin, NewAdmin, NoResetAgreement, OwnAccount
from famichat.chat.families.family import (
    families_of,
    members_of,
    require_admin,
    require_admin_of_member,
    shown_name,
)
from famichat.chat.records.family import Family, FamilyMembership
from famichat.chat.records.reset_agreement import ResetAgreement
from famichat.storage.base import is_future, now

AGREEMENT_LIFE = timedelta(hours=1)
SETTLED = timedelta(days=7)
"""For how long a role must be unchanged before it counts here."""


@dataclass(frozen=True, slots=True)
class PendingReset:
    """An agreement that is being asked for, or can be used, until it expires.

    Attributes:
        user_id: whose password is to be reset.
        family_id: the family.
        asked_by_id: the admin who asked, and receives the link.
        agreed_by_id: the admin who agreed; None until then.
        expires_at: until when it can be agreed to or, afterwards, used.
    """

    user_id: str
    family_id: str
    asked_by_id: str
    agreed_by_id: str | None
    expires_at: datetime


def ask_for_reset(session: Session, actor_id: str, family_id: str, user_id: str) -> PendingReset:
    """Ask the other admins to agree, with an audit log entry. If another admin has asked, that one stays.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
        OwnAccount: the actor and the user are the same.
        NeedsOperator: the user belongs to another family, or fewer than two others have been admins for a week.
        NewAdmin: the actor has not been an admin for a week.
    """
    _require_settled_admin(session, actor_id, family_id, user_id)
    found = session.get(ResetAgreement, user_id)
    if found is not None:
        if found.family_id == family_id and _is_current(found):
            return _pending(found)
        session.delete(found)
        session.flush()
    agreement = ResetAgreement(user_id=user_id, family_id=family_id, asked_by_id=actor_id)
    session.add(agreement)
    session.flush()
    _record(session, "reset_requested", agreement, concerning=user_id, by=actor_id)
    return _pending(agreement)


def agree_to_reset(session: Session, actor_id: str, family_id: str, user_id: str) -> PendingReset:
    """Agree as a second admin, with an audit log entry. Agreeing again changes nothing.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
        OwnAccount: the actor and the user are the same.
        NeedsOperator: the user belongs to another family, or fewer than two others have been admins for a week.
        NewAdmin: the actor has not been an admin for a week.
        NoResetAgreement: no one has asked within an hour, or it was cancelled.
        NeedsSecondAdmin: the actor is the admin who asked.
    """
    _require_settled_admin(session, actor_id, family_id, user_id)
    agreement = _current(session, family_id, user_id)
    if agreement.asked_by_id == actor_id:
        raise NeedsSecondAdmin
    if agreement.agreed_by_id is None:
        agreement.agreed_by_id, agreement.agreed_at = actor_id, now()
        session.flush()
        _record(session, "reset_agreed", agreement, concerning=user_id, by=actor_id)
    return _pending(agreement)


def use_agreement(session: Session, actor_id: str, family_id: str, user_id: str) -> None:
    """Delete the agreement with which an admin may create a link to reset the password of another one.

    Args:
        session: the transaction.
        actor_id: an admin of the family.
        family_id: the family.
        user_id: a member of the family and of no other.

    Raises:
        NeedsOperator: fewer than two others have been admins for a week.
        NeedsSecondAdmin: the actor has not asked, no one has agreed, or it has expired.
    """
    settled = _settled_admins(session, family_id) - {user_id}
    if len(settled) <= 1:
        raise NeedsOperator
    agreement = session.get(ResetAgreement, user_id)
    if (
        agreement is None
        or not _is_current(agreement)
        or (agreement.family_id, agreement.asked_by_id) != (family_id, actor_id)
        or not settled.issuperset({agreement.asked_by_id, agreement.agreed_by_id})
    ):
        raise NeedsSecondAdmin
    session.delete(agreement)
    session.flush()


def cancel_agreement(session: Session, actor_id: str, family_id: str, user_id: str) -> None:
    """Refuse a request of another admin, or withdraw the own one.

    The audit log entry concerns the admin who asked, or the user if that admin withdraws it.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
        NoResetAgreement: there is none.
    """
    require_admin_of_member(session, actor_id, family_id, user_id)
    agreement = _current(session, family_id, user_id)
    concerning = user_id if agreement.asked_by_id == actor_id else agreement.asked_by_id
    _record(session, "reset_cancelled", agreement, concerning=concerning, by=actor_id)
    session.delete(agreement)


def cancel_own_reset(session: Session, user_id: str) -> str | None:
    """Cancel what admins asked for the user's own account, and make a link that exists invalid.

    The admin who asked or created the link can read it in the account history.

    Returns:
        The family whose admins asked; None if there was no agreement.
    """
    link = withdraw_reset_link(session, user_id)
    if link is not None and link.by_id is not None:
        event = AuditEvent("reset_cancelled", name=link.name, family_id=link.family_id)
        record(session, event, concerning=link.by_id, by=user_id)
    agreement = session.get(ResetAgreement, user_id)
    if agreement is None:
        return None
    if _is_current(agreement):
        _record(session, "reset_cancelled", agreement, concerning=agreement.asked_by_id, by=user_id)
    session.delete(agreement)
    return agreement.family_id


def pending_reset_of(session: Session, user_id: str) -> PendingReset | None:
    """Return what admins asked for a user, if it has not expired."""
    agreement = session.get(ResetAgreement, user_id)
    return None if agreement is None or not _is_current(agreement) else _pending(agreement)


def pending_resets(session: Session, actor_id: str, family_id: str) -> list[PendingReset]:
    """Return the current requests in a family, the oldest first.

    Raises:
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    require_admin(session, family_id, actor_id)
    since = now() - AGREEMENT_LIFE
    statement = (
        select(ResetAgreement)
        .where(
            ResetAgreement.family_id == family_id,
            or_(ResetAgreement.asked_at >= since, ResetAgreement.agreed_at >= since),
        )
        .order_by(ResetAgreement.asked_at)
    )
    return [_pending(each) for each in session.execute(statement).scalars() if _is_current(each)]


def admins_of(session: Session, family_id: str) -> list[str]:
    """Return the ids of the admins of a family."""
    return [each.user_id for each in members_of(session, family_id) if each.role == "admin"]


def _require_settled_admin(session: Session, actor_id: str, family_id: str, user_id: str) -> None:
    require_admin_of_member(session, actor_id, family_id, user_id)
    if user_id == actor_id:
        raise OwnAccount
    settled = _settled_admins(session, family_id) - {user_id}
    if len(families_of(session, user_id)) > 1 or len(settled) <= 1:
        raise NeedsOperator
    if actor_id not in settled:
        raise NewAdmin


def _settled_admins(session: Session, family_id: str) -> set[str]:
    """Return the users who have been admins of a family for a week."""
    since = now() - SETTLED
    joined = select(FamilyMembership.user_id).where(
        FamilyMembership.family_id == family_id, FamilyMembership.joined_at <= since
    )
    longer = set(session.execute(joined).scalars())
    return {
        user_id
        for user_id in admins_of(session, family_id)
        if user_id in longer and not audit_log.role_was_changed(session, user_id, family_id, since)
    }


def _current(session: Session, family_id: str, user_id: str) -> ResetAgreement:
    agreement = session.get(ResetAgreement, user_id)
    if agreement is None or agreement.family_id != family_id or not _is_current(agreement):
        raise NoResetAgreement
    return agreement


def _record(
    session: Session,
    action: Literal["reset_requested", "reset_agreed", "reset_cancelled"],
    agreement: ResetAgreement,
    *,
    concerning: str,
    by: str,
) -> None:
    name = shown_name(session.get_one(Family, agreement.family_id))
    record(session, AuditEvent(action, name=name, family_id=agreement.family_id), concerning=concerning, by=by)


def _is_current(agreement: ResetAgreement) -> bool:
    since = _since(agreement)
    return now() - AGREEMENT_LIFE <= since and not is_future(since)


def _since(agreement: ResetAgreement) -> datetime:
    return agreement.agreed_at or agreement.asked_at


def _pending(agreement: ResetAgreement) -> PendingReset:
    return PendingReset(
        agreement.user_id,
        agreement.family_id,
        agreement.asked_by_id,
        agreement.agreed_by_id,
        _since(agreement) + AGREEMENT_LIFE,
    )
