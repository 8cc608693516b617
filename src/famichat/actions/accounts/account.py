"""Read, add and delete accounts, and set their passwords."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.errors import InvalidCredentials
from famichat.accounts.privacy import PrivacySettings, privacy_of
from famichat.accounts.profile import Profile, profile_of
from famichat.accounts.sign_in import reset
from famichat.accounts.sign_in.login_throttle import reset_attempts
from famichat.accounts.sign_in.password import hash_password
from famichat.accounts.sign_in.reset import PasswordReset
from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.accounts.user import Newcomer, User, register
from famichat.actions.accounts.devices import announce_device_revoked
from famichat.actions.accounts.sessions import verify_account_password
from famichat.actions.accounts.setup import suggest_usernames
from famichat.actions.events.topics import ConversationTopic
from famichat.actions.rate_limit import Address
from famichat.actions.services import Services
from famichat.chat import account_deletion
from famichat.chat.account_deletion import AccountDeletion, delete_orphans
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.conversations.view import views_by_member
from famichat.chat.errors import NotFound
from famichat.chat.families.family import UserFamily, families_of
from famichat.chat.families.membership import add_member, family_conversation_views
from famichat.chat.records.family import FamilyRole
from famichat.telemetry import emit, events

_Views = dict[str, ConversationView]


@dataclass(frozen=True, slots=True)
class Account:
    """Everything a user sees of their own account."""

    user: User
    profile: Profile
    families: list[UserFamily]
    privacy: PrivacySettings


async def read_account(services: Services, actor: Identity) -> Account:
    """Return the actor's account.

    Raises:
        InvalidToken: the device was revoked in the meantime.
    """

    def work(session: Session) -> Account:
        still_signed_in(session, actor)
        return Account(
            session.get_one(User, actor.user_id),
            profile_of(session, actor.user_id),
            families_of(session, actor.user_id),
            privacy_of(session, actor.user_id),
        )

    return await services.read(work)


async def add_account_by_operator(
    services: Services, newcomer: Newcomer, password: str, family_id: str | None, role: FamilyRole
) -> str:
    """Create an account as the server operator and return its user id.

    Args:
        services: the services of this server.
        newcomer: the username and e-mail address.
        password: the initial password.
        family_id: an existing family to join, or None.
        role: the role in that family.

    Raises:
        WeakPassword: the password is too easy to guess.
        UsernameTaken: the username, or one that looks like it, is in use.
        EmailTaken: an account with this address exists.
    """
    password_hash = await hash_password(password, *newcomer.names)

    def work(session: Session) -> tuple[str, _Views | None]:
        user_id = register(session, newcomer, password_hash, services.vault, services.index).id
        if family_id is None:
            return user_id, None
        add_member(session, family_id, user_id, role)
        return user_id, family_conversation_views(session, family_id, services.policies, services.vault)

    async with suggest_usernames(services, newcomer.username, family_id):
        user_id, views = await services.write(work)
    if family_id is not None:
        emit(events.FamilyMemberAdded(family_id=family_id, user_id=user_id))
    if views is not None:
        services.broadcasts.joined(user_id, views)
    return user_id


async def change_password(
    services: Services, actor: Identity, current: str, new: str, address: Address, *, sign_out_others: bool
) -> None:
    """Change the actor's password.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        current: the actor's password, required again.
        new: the new password.
        address: the client address, for the rate limits.
        sign_out_others: whether to sign out the actor's other devices and delete the passkeys.

    Raises:
        RateLimited: too many requests of this device.
        TooManyAttempts: too many wrong passwords for this account.
        InvalidCredentials: the current password is wrong or was changed in the meantime.
        InvalidToken: the device was revoked in the meantime.
        WeakPassword: the new password is too easy to guess.
    """
    attempt = await verify_account_password(services, actor.username, current, address, actor)
    await services.write(reset_attempts, services.index, attempt.account, address)
    names = await services.read(lambda session: _names(_existing(session, actor.user_id)))
    new_hash = await hash_password(new, *names)

    def work(session: Session) -> tuple[str, ...]:
        still_signed_in(session, actor)
        user = session.get_one(User, actor.user_id)
        if user.password_hash != attempt.password_hash:
            raise InvalidCredentials(actor.user_id)
        return reset.change_password(
            session, user, new_hash, keep_device_id=actor.device_id, sign_out_others=sign_out_others
        )

    for device_id in await services.write_between_batches(work):
        announce_device_revoked(services, actor.user_id, device_id, "password_changed")


async def set_password_by_operator(services: Services, user_id: str, password: str) -> PasswordReset:
    """Set a user's password as the server operator, sign out all devices and delete all passkeys.

    The user sees it in the account history.

    Raises:
        WeakPassword: the password is too easy to guess.
        NotFound: there is no such account.
    """
    names = await services.read(lambda session: _names(_existing(session, user_id)))
    password_hash = await hash_password(password, *names)
    result = await services.write_between_batches(
        lambda session: reset.set_password_by_operator(session, _existing(session, user_id), password_hash)
    )
    for device_id in result.device_ids:
        announce_device_revoked(services, user_id, device_id, "password_reset")
    return result


async def delete_account(services: Services, actor: Identity, password: str, address: Address) -> None:
    """Delete the actor's account and everything except messages sent to other people. Cannot be undone.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        password: the actor's password, required again.
        address: the client address, for the rate limits.

    Raises:
        RateLimited: too many requests of this device.
        TooManyAttempts: too many wrong passwords for this account.
        InvalidCredentials: the password is wrong or was changed in the meantime.
        InvalidToken: the device was revoked in the meantime.
        LastAdmin: a family or group with other members would have no admin.
    """
    attempt = await verify_account_password(services, actor.username, password, address, actor)
    await services.write(reset_attempts, services.index, attempt.account, address)

    def work(session: Session) -> tuple[AccountDeletion, list[_Views]]:
        still_signed_in(session, actor)
        if session.get_one(User, actor.user_id).password_hash != attempt.password_hash:
            raise InvalidCredentials(actor.user_id)
        return _with_views(session, account_deletion.delete_account(session, actor.user_id), services)

    deletion, views = await services.write_between_batches(work)
    await _finish_deletion(services, deletion, views, deleted_by=actor.user_id)


async def delete_account_by_operator(services: Services, user_id: str) -> None:
    """Delete a user's account as the server operator. The account history keeps an entry.

    Raises:
        NotFound: there is no such account.
        LastAdmin: a family or group with other members would have no admin.
    """

    def work(session: Session) -> tuple[AccountDeletion, list[_Views]]:
        _existing(session, user_id)
        return _with_views(session, account_deletion.delete_account_by_operator(session, user_id), services)

    deletion, views = await services.write_between_batches(work)
    await _finish_deletion(services, deletion, views, deleted_by=None)


def _existing(session: Session, user_id: str) -> User:
    user = session.get(User, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    return user


def _names(user: User) -> tuple[str, ...]:
    return (user.username,) if user.display_name is None else (user.username, user.display_name)


def _with_views(
    session: Session, deletion: AccountDeletion, services: Services
) -> tuple[AccountDeletion, list[_Views]]:
    """Add the remaining conversations as their members see them now."""
    views = [views_by_member(session, each, services.policies, services.vault) for each in deletion.remaining]
    return deletion, views


async def _finish_deletion(
    services: Services, deletion: AccountDeletion, views_of_others: list[_Views], *, deleted_by: str | None
) -> None:
    """Close the user's connections, notify the others, and delete what no one can reach any more."""
    topics = [ConversationTopic(kind, id_) for kind, id_ in deletion.left]
    services.broadcasts.account_deleted(deletion.user_id, topics)
    _emit_deletion(deletion, deleted_by)
    for views in views_of_others:
        services.broadcasts.conversation_updated(views)
    while await services.write(delete_orphans):
        pass  # each transaction deletes one batch


def _emit_deletion(deletion: AccountDeletion, deleted_by: str | None) -> None:
    user_id = deletion.user_id
    for kind, id_ in deletion.left:
        if kind == "group":
            emit(events.GroupMemberRemoved(conversation_id=id_, user_id=user_id, removed_by_id=deleted_by))
    for family_id in deletion.family_ids:
        emit(events.FamilyMemberRemoved(family_id=family_id, user_id=user_id, removed_by_id=deleted_by))
    emit(events.AccountDeleted(user_id=user_id))
