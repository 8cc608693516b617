"""Joining a family: setting up the first one on a new server, and accepting an invite."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from famichat.accounts.errors import AlreadySetUp
from famichat.accounts.invite import DEFAULT_LIFE, Invite, IssuedInvite, create_invite, find_invite, use_invite
from famichat.accounts.user import Newcomer, register
from famichat.chat.families.family import create_family, needs_setup, require_admin
from famichat.chat.families.membership import add_member
from famichat.chat.records.family import Family, FamilyRole
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
    """A user who joined a family. `joined` is false if the user was a member already."""

    user_id: str
    family_id: str
    joined: bool


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
    session: Session, actor_id: str, family_id: str, role: FamilyRole = "member", life: timedelta = DEFAULT_LIFE
) -> IssuedInvite:
    """Create an invite for one person, as a family admin.

    Raises:
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    require_admin(session, family_id, actor_id)
    return create_invite(session, family_id, actor_id, role, life)


def read_invitation(session: Session, token: str) -> Invitation:
    """Return what an invite is for.

    Raises:
        InvalidInvite: it does not exist or can no longer be accepted.
    """
    found = find_invite(session, token)
    name = session.get_one(Family, found.family_id).name
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
        UsernameTaken: the username is in use; the invite stays valid.
        EmailTaken: the e-mail address is in use; the invite stays valid.
    """
    found = find_invite(session, token)
    user = register(session, newcomer, password_hash, vault, index)
    return _join(session, found, user.id)


def accept(session: Session, token: str, user_id: str) -> JoinedFamily:
    """Join a family with an existing account. If the user is a member already, the invite stays unused.

    Raises:
        InvalidInvite: the invite can no longer be accepted.
    """
    return _join(session, find_invite(session, token), user_id)


def _join(session: Session, found: Invite, user_id: str) -> JoinedFamily:
    joined = add_member(session, found.family_id, user_id, found.role)
    if joined:
        use_invite(session, found, user_id)
    return JoinedFamily(user_id, found.family_id, joined)
