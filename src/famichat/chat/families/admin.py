"""What an admin of a family sees and does for its people: devices, room, the family's ledger. Never what anybody said.

Each of these asks first whether the one who asks is an admin of the family.
"""

from sqlalchemy.orm import Session

from famichat.accounts import audit_log
from famichat.accounts.audit_log import AuditEvent, record
from famichat.accounts.device import Device, devices_of, revoke_device
from famichat.chat.families.family import members_of, require_admin, role_in


def devices_of_member(session: Session, actor_id: str, family_id: str, user_id: str) -> list[Device]:
    """The devices that somebody of the family is signed in on, the oldest first.

    Raises:
        NotFound: one of the two does not belong to the family.
        NotAdmin: the one who asks is a plain member.
    """
    _administers(session, actor_id, family_id, user_id)
    return devices_of(session, user_id)


def sign_out_member(session: Session, actor_id: str, family_id: str, user_id: str, device_id: str) -> None:
    """Sign a device of somebody of the family out, on record. Close what it has open after the commit.

    Raises:
        NotFound: one of the two does not belong to the family.
        NotAdmin: the one who asks is a plain member.
        NoSuchDevice: the person is not signed in on it.
    """
    _administers(session, actor_id, family_id, user_id)
    revoke_device(session, user_id, device_id)
    name = session.get_one(Device, device_id).name
    deed = AuditEvent("device_revoked", name=name, family_id=family_id, device_id=device_id)
    record(session, deed, concerning=user_id, by=actor_id)


def people_of(session: Session, actor_id: str, family_id: str) -> list[str]:
    """The ids of the people whom an admin of a family looks after, that person among them.

    Raises:
        NotFound: the one who asks does not belong to the family.
        NotAdmin: the one who asks is a plain member.
    """
    require_admin(session, family_id, actor_id)
    return [member.user_id for member in members_of(session, family_id)]


def family_audit_log(
    session: Session, actor_id: str, family_id: str, before: str | None = None, limit: int = audit_log.MAX_PAGE
) -> audit_log.AuditPage:
    """What admins did to people of the family, as such, the newest first: see `accounts.ledger.ledger_of_family`.

    Raises:
        NotFound: the one who asks does not belong to the family.
        NotAdmin: the one who asks is a plain member.
    """
    require_admin(session, family_id, actor_id)
    return audit_log.audit_log_of_family(session, family_id, before, limit)


def _administers(session: Session, actor_id: str, family_id: str, user_id: str) -> None:
    require_admin(session, family_id, actor_id)
    role_in(session, family_id, user_id)
