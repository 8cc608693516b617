"""Create, list, revoke, preview and accept invites into a family."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from famichat.accounts import invite as invites
from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials, InvalidInvite, InvalidToken
from famichat.accounts.idempotency import KeyedRequest
from famichat.accounts.invite import Invite, IssuedInvite, open_invites
from famichat.accounts.sign_in.attempt import finish_sign_in
from famichat.accounts.sign_in.password import hash_password
from famichat.accounts.sign_in.session import StartedSession, start_session
from famichat.accounts.sign_in.token import Identity, hash_secret, still_signed_in
from famichat.accounts.user import Newcomer
from famichat.actions.accounts.sessions import verify_account_password
from famichat.actions.accounts.setup import NewAccount, NewMember, announce_new_member, suggest_usernames
from famichat.actions.contacts import ContactChange, announce_to_both, changes_in_direct
from famichat.actions.rate_limit import Address, account_at
from famichat.actions.services import Services
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.families import join
from famichat.chat.families.contacts import direct_conversations_in_family
from famichat.chat.families.family import require_admin
from famichat.chat.families.join import Invitation, JoinedFamily
from famichat.chat.families.membership import family_conversation_views
from famichat.chat.records.family import FamilyRole
from famichat.telemetry import emit, events

_Views = dict[str, ConversationView]


@dataclass(frozen=True, slots=True)
class NewInvite:
    """A new invite and its secret link, available only when it is created."""

    invite: Invite
    token: str
    url: str


async def create_invite(
    services: Services, actor: Identity, family_id: str, role: FamilyRole, life: timedelta, key: str | None = None
) -> NewInvite:
    """Create an invite for one person, as a family admin.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        family_id: the family.
        role: the role the invited person will have.
        life: how long the invite is valid; at most `MAX_LIFE`.
        key: the request's idempotency key. A repeated request returns the same invite with a new token.

    Raises:
        RateLimited: too many invites from this device or user.
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
        InvalidInvite: the request is repeated, and the invite can no longer be accepted.
        IdempotencyKeyReused: the actor used the key for another request.
    """
    await services.rate_limits.check_shared("invite", actor)
    request = KeyedRequest.of(key, "invite", family_id, role, life.total_seconds())
    issued = await services.write(join.invite, actor.user_id, family_id, role, life, request)
    return _announce_created(services, issued)


async def create_invite_by_operator(services: Services, family_id: str, role: FamilyRole, life: timedelta) -> NewInvite:
    """Create an invite for one person, as the server operator.

    Args:
        services: the services of this server.
        family_id: an existing family.
        role: the role the invited person will have.
        life: how long the invite is valid; at most `MAX_LIFE`.
    """
    issued = await services.write(invites.create_invite, family_id, None, role, life)
    return _announce_created(services, issued)


async def list_invites(services: Services, actor: Identity, family_id: str) -> list[Invite]:
    """Return the invites into a family that can still be accepted, without their tokens, oldest first.

    Raises:
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """

    def work(session: Session) -> list[Invite]:
        require_admin(session, family_id, actor.user_id)
        return open_invites(session, family_id)

    return await services.read(work)


async def revoke_invite(services: Services, actor: Identity, family_id: str, invite_id: str) -> None:
    """Revoke an invite, as a family admin: its link stops working.

    Raises:
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
        InvalidInvite: the family has no open invite with this id.
    """

    def work(session: Session) -> None:
        require_admin(session, family_id, actor.user_id)
        invites.revoke_invite(session, family_id, invite_id)

    await services.write(work)


async def revoke_invite_by_operator(services: Services, family_id: str, invite_id: str) -> None:
    """Revoke an invite, as the server operator.

    Raises:
        InvalidInvite: the family has no open invite with this id.
    """
    await services.write(invites.revoke_invite, family_id, invite_id)


async def preview_invite(services: Services, token: str, address: Address) -> Invitation:
    """Return what an invite is for, to anyone who has its token.

    Raises:
        RateLimited: too many requests with this invite, or without a valid one from this address.
        InvalidInvite: the invite does not exist or can no longer be accepted.
    """
    invitation = await _counted_invitation(services, token, address)
    if invitation is None:
        raise InvalidInvite
    return invitation


async def accept_invite(services: Services, access_token: str | None, token: str, address: Address) -> JoinedFamily:
    """Join a family with an existing account. A member of the family leaves the invite unused.

    Requests without a valid token count for the address, so this action authenticates its caller itself.

    Args:
        services: the services of this server.
        access_token: the caller's access token, if the request had one.
        token: the invite's token.
        address: the client address, for the rate limits.

    Raises:
        RateLimited: too many requests of this device, or without a valid token from this address.
        InvalidToken: the access token is missing or invalid.
        InvalidInvite: the invite does not exist or can no longer be accepted.
        NameTakenInFamily: a member of the family has the user's username or display name; the invite stays valid.
    """
    try:
        actor = await services.identify(access_token)
    except InvalidToken:
        await services.rate_limits.check_shared("invite", address)
        raise
    await services.rate_limits.check_shared("invite", actor)

    def work(session: Session) -> tuple[JoinedFamily, _Views | None, list[ContactChange]]:
        still_signed_in(session, actor)
        joined = join.accept(session, token, actor.user_id)
        views = family_conversation_views(session, joined.family_id, services.policies, services.vault)
        direct = direct_conversations_in_family(session, joined.user_id, joined.family_id)
        return joined, views, changes_in_direct(services, session, joined.user_id, direct)

    joined, views, contacts = await services.write(work)
    if joined.joined and not joined.repeated:
        emit(events.FamilyMemberAdded(family_id=joined.family_id, user_id=joined.user_id))
        if views is not None:
            services.broadcasts.joined(joined.user_id, views)
        announce_to_both(services, contacts)
    return joined


async def accept_invite_as_new_user(
    services: Services, token: str, account: NewAccount, device: NewDevice, address: Address
) -> NewMember:
    """Create an account, join the family and sign in.

    If the response is lost, the same request signs the new account in: its name and password prove who repeats it.

    Args:
        services: the services of this server.
        token: the invite's token.
        account: the account to create.
        device: the device to sign in on.
        address: the client address, for the rate limits.

    Raises:
        RateLimited: too many requests with this invite, or without a valid one from this address.
        InvalidInvite: the invite does not exist or can no longer be accepted; no account was created.
        AccountsError: the username, address, password or device name is not allowed; the invite stays valid.
    """
    invitation = await _counted_invitation(services, token, address)
    newcomer = Newcomer.parse(account.username, account.email)
    if invitation is not None:
        with suppress(InvalidInvite):  # accepted by a concurrent request
            async with suggest_usernames(services, newcomer.username, invitation.family_id):
                return await _accept_as_new_user(services, token, newcomer, account.password, device)
    await services.read(invites.accepted_invite, token)
    return await _accept_again(services, token, account, device, address)


async def _counted_invitation(services: Services, token: str, address: Address) -> Invitation | None:
    """Return what an invite is for, and count the request: for the invite, or for the address if there is none.

    A valid token cannot be guessed, so its holder need not wait for strangers behind the same address.

    Returns:
        None if the invite was accepted recently.

    Raises:
        RateLimited: a limit is exceeded.
        InvalidInvite: the invite does not exist or can no longer be accepted.
    """

    def work(session: Session) -> Invitation | None:
        with suppress(InvalidInvite):
            return join.read_invitation(session, token)
        invites.accepted_invite(session, token)
        return None

    try:
        invitation = await services.read(work)
    except InvalidInvite:
        await services.rate_limits.check_shared("invite", address)
        raise
    await services.rate_limits.check_shared("invite", account_at(address, hash_secret(token).hex()))
    return invitation


async def _accept_as_new_user(
    services: Services, token: str, newcomer: Newcomer, password: str, device: NewDevice
) -> NewMember:
    password_hash = await hash_password(password, *newcomer.names)

    def work(session: Session) -> tuple[JoinedFamily, StartedSession, _Views | None]:
        joined = join.accept_as_newcomer(session, token, newcomer, password_hash, services.vault, services.index)
        started = start_session(session, joined.user_id, device)
        views = family_conversation_views(session, joined.family_id, services.policies, services.vault)
        return joined, started, views

    joined, started, views = await services.write(work)
    if views is not None:
        services.broadcasts.joined(joined.user_id, views)
    return announce_new_member(services, joined, started)


async def _accept_again(
    services: Services, token: str, account: NewAccount, device: NewDevice, address: Address
) -> NewMember:
    try:
        attempt = await verify_account_password(services, account.username, account.password, address)
    except InvalidCredentials:
        raise InvalidInvite from None

    def work(session: Session) -> tuple[JoinedFamily, StartedSession]:
        started = finish_sign_in(session, attempt, address, device, services.index)
        return join.repeated_acceptance(session, token, started.identity.user_id), started

    joined, started = await services.write(work)
    return announce_new_member(services, joined, started)


def _announce_created(services: Services, issued: IssuedInvite) -> NewInvite:
    invite = issued.invite
    if issued.created:
        emit(
            events.InviteCreated(
                family_id=invite.family_id, invite_id=invite.id, role=invite.role, created_by_id=invite.created_by_id
            )
        )
    return NewInvite(invite, issued.token, f"{services.public_url}/invite#{issued.token}")
