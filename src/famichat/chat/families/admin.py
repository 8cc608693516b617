"""What a family admin sees of members and can do for them: devices, storage, audit log. Never includes messages.

Each function checks that the actor is an admin of the family.
"""

from sqlalchemy.orm import Session

from famichat.accounts import audit_log
from famichat.accounts.audit_log import AuditEvent, record
from famichat.accounts.device import Device, devices_of, revoke_device
from famichat.accounts.sign_in.reset import issue_reset_link
from famichat.chat.errors import NeedsOperator, OwnAccount
from famichat.chat.families.family import families_of, members_of, require_admin, require_admin_of_member
from famichat.chat.families.reset_agreement import SETTLED, use_agreement
from famichat.storage.base import now


def devices_of_member(session: Session, actor_id: str, family_id: str, user_id: str) -> list[Device]:
    """Return the devices that a family member is signed in on, oldest first.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    require_admin_of_member(session, actor_id, family_id, user_id)
    return devices_of(session, user_id)


def sign_out_member(session: Session, actor_id: str, family_id: str, user_id: str, device_id: str) -> None:
    """Revoke a family member's device, with an audit log entry. The caller closes its connections after the commit.

    Args:
        session: the transaction; it removes access, so it must run between two batches of the journal.
        actor_id: the family admin.
        family_id: the family.
        user_id: the member.
        device_id: the device.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
        NoSuchDevice: the user is not signed in on it.
    """
    require_admin_of_member(session, actor_id, family_id, user_id)
    revoke_device(session, user_id, device_id)
    name = session.get_one(Device, device_id).shown_name
    event = AuditEvent("device_revoked", name=name, family_id=family_id, device_id=device_id)
    record(session, event, concerning=user_id, by=actor_id)


def create_reset_link(session: Session, actor_id: str, family_id: str, user_id: str) -> str:
    """Return the secret of a link with which a family member sets a new password, with an audit log entry.

    Anyone who has the link can sign in as the member. So an admin can create one only for members who belong to no
    other family. For an admin, or a member whose role was changed within a week, a second admin must have agreed.

    Args:
        session: the transaction.
        actor_id: the family admin.
        family_id: the family.
        user_id: the member.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
        OwnAccount: the actor and the user are the same.
        NeedsOperator: the user belongs to another family; or a second admin must agree, and there is none.
        NeedsSecondAdmin: a second admin must agree first: see `reset_agreement`.
    """
    require_admin_of_member(session, actor_id, family_id, user_id)
    if user_id == actor_id:
        raise OwnAccount
    families = families_of(session, user_id)
    if len(families) > 1:
        raise NeedsOperator
    # Otherwise an admin could make another one a member first, and then take over the account.
    changed = audit_log.role_was_changed(session, user_id, family_id, now() - SETTLED)
    if families[0].role == "admin" or changed:
        use_agreement(session, actor_id, family_id, user_id)
    return issue_reset_link(session, user_id, by=actor_id, family_id=family_id, family_name=families[0].name)


def people_of(session: Session, actor_id: str, family_id: str) -> list[str]:
    """Return the ids of the family's members, including the actor.

    Raises:
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    require_admin(session, family_id, actor_id)
    return [member.user_id for member in members_of(session, family_id)]


def family_audit_log(
    session: Session, actor_id: str, family_id: str, before: str | None = None, limit: int = audit_log.MAX_PAGE
) -> audit_log.AuditPage:
    """Return what family admins did to members, newest first: see `accounts.audit_log.audit_log_of_family`.

    Raises:
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    require_admin(session, family_id, actor_id)
    return audit_log.audit_log_of_family(session, family_id, before, limit)
