"""Agreements of two family admins to reset the password of another admin, and how the user cancels them."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.actions.events.payloads import reset_agreement_view
from famichat.actions.services import Services
from famichat.chat.families import reset_agreement
from famichat.chat.families.reset_agreement import PendingReset, admins_of


async def list_reset_agreements(services: Services, actor: Identity, family_id: str) -> list[PendingReset]:
    """Return the current requests to reset the password of an admin of a family, to an admin.

    Raises:
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    return await services.read(reset_agreement.pending_resets, actor.user_id, family_id)


async def ask_for_reset(services: Services, actor: Identity, family_id: str, user_id: str) -> PendingReset:
    """Ask the other admins to agree, and tell them and the user.

    Raises:
        RateLimited: too many requests, links and invites from this device or user.
        FamichatError: see `reset_agreement.ask_for_reset`.
    """
    return await _change(services, actor, family_id, user_id, reset_agreement.ask_for_reset)


async def agree_to_reset(services: Services, actor: Identity, family_id: str, user_id: str) -> PendingReset:
    """Agree as a second admin, and tell the other admins and the user.

    Raises:
        RateLimited: too many requests, links and invites from this device or user.
        FamichatError: see `reset_agreement.agree_to_reset`.
    """
    return await _change(services, actor, family_id, user_id, reset_agreement.agree_to_reset)


async def cancel_reset_agreement(services: Services, actor: Identity, family_id: str, user_id: str) -> None:
    """Refuse a request or withdraw the own one, and tell the other admins and the user.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
        NoResetAgreement: there is none.
    """

    def work(session: Session) -> list[str]:
        reset_agreement.cancel_agreement(session, actor.user_id, family_id, user_id)
        return admins_of(session, family_id)

    admin_ids = await services.write(work)
    services.broadcasts.reset_agreement_updated({*admin_ids, user_id}, family_id, user_id, None)


async def cancel_own_reset(services: Services, actor: Identity) -> None:
    """Cancel what admins asked for the actor's account, make an existing link invalid, and tell the admins.

    Does nothing if there is neither.
    """

    def work(session: Session) -> tuple[str, list[str]] | None:
        family_id = reset_agreement.cancel_own_reset(session, actor.user_id)
        return None if family_id is None else (family_id, admins_of(session, family_id))

    cancelled = await services.write(work)
    if cancelled is not None:
        family_id, admin_ids = cancelled
        services.broadcasts.reset_agreement_updated({*admin_ids, actor.user_id}, family_id, actor.user_id, None)


async def _change(
    services: Services,
    actor: Identity,
    family_id: str,
    user_id: str,
    change: Callable[[Session, str, str, str], PendingReset],
) -> PendingReset:
    await services.rate_limits.check_shared("invite", actor)

    def work(session: Session) -> tuple[PendingReset, list[str]]:
        return change(session, actor.user_id, family_id, user_id), admins_of(session, family_id)

    pending, admin_ids = await services.write(work)
    view = reset_agreement_view(pending)
    services.broadcasts.reset_agreement_updated({*admin_ids, user_id}, family_id, user_id, view)
    return pending
