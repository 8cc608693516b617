"""Links with which a user who forgot the password sets a new one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from famichat.accounts.sign_in import reset
from famichat.accounts.sign_in.password import hash_password
from famichat.accounts.sign_in.reset import RESET_LIFE, PasswordReset
from famichat.accounts.sign_in.token import Identity
from famichat.accounts.user import User
from famichat.actions.accounts.devices import announce_device_revoked
from famichat.actions.rate_limit import Address
from famichat.actions.services import Services
from famichat.chat.families import admin
from famichat.storage.base import now, rfc3339


@dataclass(frozen=True, slots=True)
class ResetLink:
    """A link to reset a password, available only when it is created."""

    token: str
    url: str
    expires_at: datetime


async def create_reset_link(services: Services, actor: Identity, family_id: str, user_id: str) -> ResetLink:
    """Create a link for a family member, as a family admin. It replaces an earlier one, and is valid for an hour.

    For another admin, a second admin must have agreed: see `reset_agreements`.

    Raises:
        RateLimited: too many links and invites from this device or user.
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
        OwnAccount: the actor and the user are the same.
        NeedsOperator: the user belongs to another family; or a second admin must agree, and there is none.
        NeedsSecondAdmin: a second admin must agree first.
    """
    await services.rate_limits.check_shared("invite", actor)
    token = await services.write(admin.create_reset_link, actor.user_id, family_id, user_id)
    return _announce(services, user_id, token, actor)


async def create_reset_link_by_operator(services: Services, user_id: str) -> ResetLink:
    """Create a link for any user, as the server operator. It replaces an earlier one, and is valid for an hour."""
    token = await services.write(reset.issue_reset_link, user_id, by=None)
    return _announce(services, user_id, token, None)


async def use_reset_link(services: Services, token: str, password: str, address: Address) -> str:
    """Set a new password with a link, sign out all devices, delete all passkeys, and return the username.

    Raises:
        RateLimited: too many requests from this address.
        InvalidResetLink: the link is unknown, was used or replaced, or has expired.
        WeakPassword: the password is too easy to guess; the link stays valid.
    """
    await services.rate_limits.check_shared("invite", address)

    def names(session: Session) -> tuple[str, ...]:
        user = reset.user_to_reset(session, token)
        return (user.username,) if user.display_name is None else (user.username, user.display_name)

    password_hash = await hash_password(password, *await services.read(names))

    def work(session: Session) -> tuple[PasswordReset, str]:
        result = reset.reset_password(session, token, password_hash)
        return result, session.get_one(User, result.user_id).username

    result, username = await services.write_between_batches(work)
    for device_id in result.device_ids:
        announce_device_revoked(services, result.user_id, device_id, "password_reset")
    return username


def _announce(services: Services, user_id: str, token: str, by: Identity | None) -> ResetLink:
    link = ResetLink(token, f"{services.public_url}/reset#{token}", now() + RESET_LIFE)
    services.broadcasts.reset_link_created(user_id, by, rfc3339(link.expires_at))
    return link
