"""Joining a family: setting up the first one on a new server, and accepting an invite."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from famichat.accounts.errors import AlreadySetUp, InvalidInvite, NameTakenInFamily, UsernameTaken
from famichat.accounts.idempotency import KeyedRequest, earlier_result, remember_result
from famichat.accounts.invite import (
    DEFAULT_LIFE,
    Invite,
    IssuedInvite,
    accepted_invite,
    create_invite,
    find_invite,
    reissue_invite,
    use_invite,
)
from famichat.accounts.user import Newcomer, register
from famichat.chat.conversations.rename import checked_name
from famichat.chat.families.family import create_family, families_of, needs_setup, require_admin, shown_name
from famichat.chat.families.membership import add_member
from famichat.chat.records.family import Family, FamilyMembership, FamilyRole
from famichat.storage.crypto.vault import BlindIndex, Vault


@dataclass(frozen=True, slots=True)
class Invitation:
    """What anyone who has an invite's link may see before accepting it."""

    family_id: str
    family_name: str
    role: FamilyRole
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class JoinedFamily:
    """A user who joined a family.

    Attributes:
        user_id: the user.
        family_id: the family.
        joined: False if the user was a member already.
        repeated: True if the request was repeated, so that nothing changed now.
    """

    user_id: str
    family_id: str
    joined: bool
    repeated: bool = False


def set_up(
    session: Session, family_name: str, newcomer: Newcomer, password_hash: str, vault: Vault, index: BlindIndex
) -> JoinedFamily:
    """Create the first family and its admin. If several requests try at once, one succeeds.

    Args:
        session: the transaction.
        family_name: the name of the family.
        newcomer: the admin's username and e-mail address.
        password_hash: from `password.hash_password`.
        vault: encrypts the e-mail address.
        index: makes the e-mail address unique.

    Raises:
        AlreadySetUp: a family exists.
        InvalidName: the family name is not allowed.
        UsernameTaken: the operator created an account with this username before.
        EmailTaken: the operator created an account with this e-mail address before.
    """
    if not needs_setup(session):
        raise AlreadySetUp
    user = register(session, newcomer, password_hash, vault, index)
    family = create_family(session, family_name, user.id)
    return JoinedFamily(user.id, family.id, joined=True)


def invite(
    session: Session,
    actor_id: str,
    family_id: str,
    role: FamilyRole = "member",
    life: timedelta = DEFAULT_LIFE,
    request: KeyedRequest | None = None,
) -> IssuedInvite:
    """Create an invite for one person, as a family admin; for a repeated request, return it with a new token.

    Raises:
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
        InvalidInvite: the request is repeated, and the invite can no longer be accepted.
        IdempotencyKeyReused: the actor used the key for another request.
    """
    require_admin(session, family_id, actor_id)
    earlier_id = earlier_result(session, actor_id, request)
    if earlier_id is not None:
        return reissue_invite(session, earlier_id)
    issued = create_invite(session, family_id, actor_id, role, life)
    remember_result(session, actor_id, request, issued.invite.id)
    return issued


def read_invitation(session: Session, token: str) -> Invitation:
    """Return what an invite is for.

    Raises:
        InvalidInvite: it does not exist or can no longer be accepted.
    """
    found = find_invite(session, token)
    name = shown_name(session.get_one(Family, found.family_id))
    return Invitation(found.family_id, name, found.role, found.expires_at)


def accept_as_newcomer(
    session: Session, token: str, newcomer: Newcomer, password_hash: str, vault: Vault, index: BlindIndex
) -> JoinedFamily:
    """Create an account and join the family.

    Args:
        session: the transaction.
        token: the invite's token.
        newcomer: the username and e-mail address.
        password_hash: from `password.hash_password`.
        vault: encrypts the e-mail address.
        index: makes the e-mail address unique.

    Raises:
        InvalidInvite: the invite can no longer be accepted; no account was created.
        UsernameTaken: the username is in use, or a member of the family has it as the display name; the invite stays
            valid.
        EmailTaken: the e-mail address is in use; the invite stays valid.
    """
    found = find_invite(session, token)
    user = register(session, newcomer, password_hash, vault, index)
    try:
        return _join(session, found, user.id)
    except NameTakenInFamily as error:
        raise UsernameTaken from error


def accept(session: Session, token: str, user_id: str) -> JoinedFamily:
    """Join a family with an existing account. If the user is a member already, the invite stays unused.

    Raises:
        InvalidInvite: the invite can no longer be accepted.
        NameTakenInFamily: a member of the family has the user's username or display name; the invite stays valid.
    """
    try:
        found = find_invite(session, token)
    except InvalidInvite:
        return repeated_acceptance(session, token, user_id)
    return _join(session, found, user_id)


def repeated_acceptance(session: Session, token: str, user_id: str) -> JoinedFamily:
    """Return the result of accepting this invite again, after a lost response.

    Raises:
        InvalidInvite: the user did not accept this invite recently, or has left the family since.
    """
    accepted = accepted_invite(session, token)
    if accepted.accepted_by_id != user_id or session.get(FamilyMembership, (accepted.family_id, user_id)) is None:
        raise InvalidInvite
    return JoinedFamily(user_id, accepted.family_id, joined=True, repeated=True)


def repeated_setup(session: Session, family_name: str, user_id: str) -> JoinedFamily:
    """Return the result of setting up the server again, after a lost response.

    Raises:
        AlreadySetUp: the user is not an admin of a family of this name.
    """
    name = checked_name(family_name)
    for each in families_of(session, user_id):
        if (each.name, each.role) == (name, "admin"):
            return JoinedFamily(user_id, each.family_id, joined=True, repeated=True)
    raise AlreadySetUp


def _join(session: Session, found: Invite, user_id: str) -> JoinedFamily:
    joined = add_member(session, found.family_id, user_id, found.role)
    if joined:
        use_invite(session, found, user_id)
    return JoinedFamily(user_id, found.family_id, joined)
