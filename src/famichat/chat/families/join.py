"""How people come in: the first family when a server is new, everybody else by invitation."""

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
    """What whoever holds an invitation may know before accepting it; nothing more."""

    family_id: str
    family_name: str
    role: FamilyRole
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class JoinedFamily:
    """Somebody who has come into a family. `joined` is false for who belonged to it already."""

    user_id: str
    family_id: str
    joined: bool


def set_up(
    session: Session, family_name: str, newcomer: Newcomer, password_hash: str, vault: Vault, index: BlindIndex
) -> JoinedFamily:
    """Found the first family, with its first person as the admin. Of many who try at once, one succeeds.

    Raises:
        AlreadySetUp: there is a family already.
        InvalidName: the family cannot be called that.
        UsernameTaken: an account with this name was made before, by hand.
        EmailTaken: likewise, with this address.
    """
    if not needs_setup(session):
        raise AlreadySetUp
    user = register(session, newcomer, password_hash, vault, index)
    family = create_family(session, family_name, user.id)
    return JoinedFamily(user.id, family.id, joined=True)


def invite(
    session: Session, actor_id: str, family_id: str, role: FamilyRole = "member", life: timedelta = DEFAULT_LIFE
) -> IssuedInvite:
    """Invite one person into a family.

    Raises:
        NotFound: the one who invites does not belong to it.
        NotAdmin: only an admin invites.
    """
    require_admin(session, family_id, actor_id)
    return create_invite(session, family_id, actor_id, role, life)


def read_invitation(session: Session, token: str) -> Invitation:
    """What an invitation is for.

    Raises:
        InvalidInvite: it does not exist, or cannot be accepted any more.
    """
    found = find_invite(session, token)
    name = session.get_one(Family, found.family_id).name
    return Invitation(found.family_id, name, found.role, found.expires_at)


def accept_as_newcomer(
    session: Session, token: str, newcomer: Newcomer, password_hash: str, vault: Vault, index: BlindIndex
) -> JoinedFamily:
    """Make an account and join the family that one is invited into.

    Raises:
        InvalidInvite: the invitation cannot be accepted any more; no account was made.
        UsernameTaken: another name, please; the invitation is still good.
        EmailTaken: likewise, another address.
    """
    found = find_invite(session, token)
    user = register(session, newcomer, password_hash, vault, index)
    return _join(session, found, user.id)


def accept(session: Session, token: str, user_id: str) -> JoinedFamily:
    """Join one more family with the account that one has. Who belongs to it already leaves the invitation unused.

    Raises:
        InvalidInvite: the invitation cannot be accepted any more.
    """
    return _join(session, find_invite(session, token), user_id)


def _join(session: Session, found: Invite, user_id: str) -> JoinedFamily:
    joined = add_member(session, found.family_id, user_id, found.role)
    if joined:
        use_invite(session, found, user_id)
    return JoinedFamily(user_id, found.family_id, joined)
