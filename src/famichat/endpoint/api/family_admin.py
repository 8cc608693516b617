"""What a family admin sees of the family's members and can do for them. Never includes messages."""

from pydantic import BaseModel, Field

from famichat.actions.accounts.audit_log import read_family_audit_log
from famichat.actions.accounts.devices import list_member_devices, revoke_member_device
from famichat.actions.accounts.reset_links import create_reset_link
from famichat.actions.attachments import STORAGE_STEP_BYTES, read_family_storage
from famichat.actions.backups import read_backup_status
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.audit_log import AuditEntryView, Before
from famichat.endpoint.schemas.parameters import Limit
from famichat.storage.backup.record import BackupProblem

router = api_router("/families/{family_id}", "families")

_ROUNDED = f"Rounded up to a multiple of {STORAGE_STEP_BYTES} bytes."


class MemberDeviceView(BaseModel):
    """A device that a family member is signed in on."""

    id: str
    name: str
    created_at: Timestamp
    last_seen_at: Timestamp


class MemberDevicesView(BaseModel):
    """All devices of one family member."""

    devices: list[MemberDeviceView]


class ResetLinkView(BaseModel):
    """A link that works once. The token and the URL are available only here."""

    token: str
    url: str
    expires_at: Timestamp


class FamilyAuditEntryView(AuditEntryView):
    """One audit log entry, with the member it concerns."""

    user_id: str = Field(description="The member it was done to.")


class FamilyAuditLogView(BaseModel):
    """Entries, newest first; `has_more` is true if there are older ones."""

    entries: list[FamilyAuditEntryView]
    has_more: bool


class MemberStorageView(BaseModel):
    """How much storage the attachments of one member use."""

    user_id: str
    file_bytes: int = Field(description=_ROUNDED)


class FamilyStorageView(BaseModel):
    """How much storage is used, in steps too coarse to follow a conversation by, and the time of the last backup."""

    database_bytes: int = Field(description=f"By the whole server, with all its families. {_ROUNDED}")
    people: list[MemberStorageView]
    last_backup_at: Timestamp | None = Field(description="Null if no backup was taken from this data directory.")


class BackupStatusView(BaseModel):
    """The state of the server's backups."""

    last_at: Timestamp | None = Field(description="The time of the last backup; null before the first.")
    verified_at: Timestamp | None = Field(description="The time of the last test restore; null before the first.")
    next_at: Timestamp | None = Field(
        description="When the next one is due; if it was missed, in the past. Null if the server makes none itself."
    )
    problem: BackupProblem | None = Field(description="The step that failed last time.")
    overdue: bool = Field(description="Whether there has been no backup for three days.")


@router.get("/members/{user_id}/devices", summary="List a member's devices")
async def devices(family_id: str, user_id: str, caller: Caller, context: InContext) -> MemberDevicesView:
    """List the devices that a family member is signed in on, for family admins.

    Raises:
        NotFound: the caller or the user is not a member of the family.
        NotAdmin: the caller is not an admin.
    """
    found = await list_member_devices(context, caller, family_id, user_id)
    return MemberDevicesView(devices=[MemberDeviceView.model_validate(each, from_attributes=True) for each in found])


@router.delete("/members/{user_id}/devices/{device_id}", status_code=204, summary="Sign out a member's device")
async def sign_out(family_id: str, user_id: str, device_id: str, caller: Caller, context: InContext) -> None:
    """Sign out a device of a family member, such as a lost phone. The member sees it in the account history.

    Raises:
        NotFound: the caller or the user is not a member of the family.
        NotAdmin: the caller is not an admin.
        NoSuchDevice: the member is not signed in on it.
    """
    await revoke_member_device(context, caller, family_id, user_id, device_id)


@router.put("/members/{user_id}/reset-link", summary="Create a link to reset a member's password")
async def reset_link(family_id: str, user_id: str, caller: Caller, context: InContext) -> ResetLinkView:
    """Create a link with which a family member sets a new password. It replaces an earlier one.

    The member's devices are told, and the account history records it.

    Raises:
        NotFound: the caller or the user is not a member of the family.
        NotAdmin: the caller is not an admin.
        OwnAccount: the caller and the user are the same.
        NeedsOperator: the user is an admin, or belongs to another family.
    """
    created = await create_reset_link(context, caller, family_id, user_id)
    return ResetLinkView(token=created.token, url=created.url, expires_at=created.expires_at)


@router.get("/ledger", summary="Show the family's history")
async def audit_log(
    family_id: str, caller: Caller, context: InContext, before: Before = None, limit: Limit = None
) -> FamilyAuditLogView:
    """List what family admins did to members: roles, removals, devices. Excludes groups.

    Raises:
        NotFound: the caller is not a member of the family.
        NotAdmin: the caller is not an admin.
    """
    page = await read_family_audit_log(context, caller, family_id, before, limit)
    return FamilyAuditLogView.model_validate(page, from_attributes=True)


@router.get("/storage", summary="Show storage usage")
async def storage(family_id: str, caller: Caller, context: InContext) -> FamilyStorageView:
    """Return the size of the database, the size of each member's attachments, and the time of the last backup.

    Raises:
        NotFound: the caller is not a member of the family.
        NotAdmin: the caller is not an admin.
    """
    found = await read_family_storage(context, caller, family_id)
    return FamilyStorageView(
        database_bytes=found.database_bytes,
        people=[MemberStorageView(user_id=user_id, file_bytes=size) for user_id, size in found.file_bytes.items()],
        last_backup_at=found.last_backup_at,
    )


@router.get("/backups", summary="Show the state of the backups")
async def backups(family_id: str, caller: Caller, context: InContext) -> BackupStatusView:
    """Return when the server was last backed up, when a backup was last verified, and what went wrong.

    Raises:
        NotFound: the caller is not a member of the family.
        NotAdmin: the caller is not an admin.
    """
    found = await read_backup_status(context, caller, family_id)
    return BackupStatusView(
        last_at=found.last_at,
        verified_at=found.verified_at,
        next_at=found.next_at,
        problem=found.problem,
        overdue=found.is_overdue,
    )
