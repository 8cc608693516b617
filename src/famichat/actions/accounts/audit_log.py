"""Read the audit log: what admins and the operator did to a user, and to the members of a family."""

from famichat.accounts.audit_log import MAX_PAGE, AuditPage, audit_log_of
from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.chat.families.admin import family_audit_log


async def read_audit_log(services: Services, actor: Identity, before: str | None, limit: int | None) -> AuditPage:
    """Return what other people did to the actor's account, newest first.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        before: the id of an entry; only older entries are returned.
        limit: the page size, at most `MAX_PAGE`; None for `MAX_PAGE`.

    Raises:
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(audit_log_of, actor.user_id, before, limit or MAX_PAGE)


async def read_family_audit_log(
    services: Services, actor: Identity, family_id: str, before: str | None, limit: int | None
) -> AuditPage:
    """Return what admins did to the members of a family, newest first, to a family admin. Excludes groups.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        family_id: the family.
        before: the id of an entry; only older entries are returned.
        limit: the page size, at most `MAX_PAGE`; None for `MAX_PAGE`.

    Raises:
        RateLimited: too many reads.
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    services.rate_limits.check("read", actor)
    return await services.read(family_audit_log, actor.user_id, family_id, before, limit or MAX_PAGE)
