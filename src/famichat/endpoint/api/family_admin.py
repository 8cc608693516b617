"""What an admin of a family sees and does for its people. None of this shows what anybody said."""

import asyncio

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import MAX_PAGE
from famichat.accounts.device import Device
from famichat.attachments.quota import storage_of
from famichat.chat.families.admin import devices_of_member, family_audit_log, people_of, sign_out_member
from famichat.endpoint.api.audit_log import Before, EntryView
from famichat.endpoint.api.sessions import announce_revoked
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.parameters import Limit
from famichat.storage.size import database_bytes

# Exact figures would tell an admin, who asks again and again, when two others talk to each other.
_STEP = 10_000_000

router = api_router("/families/{family_id}", "families")


class MemberDeviceView(BaseModel):
    """A device that somebody of the family is signed in on."""

    id: str
    name: str
    created_at: Timestamp
    last_seen_at: Timestamp


class MemberDevicesView(BaseModel):
    """All devices of one person."""

    devices: list[MemberDeviceView]


class FamilyEntryView(EntryView):
    """One thing that was done, and to whom."""

    user_id: str = Field(description="To whom it was done.")


class FamilyLedgerView(BaseModel):
    """Entries, the newest first; `has_more` says that older ones follow."""

    entries: list[FamilyEntryView]
    has_more: bool


class KeptView(BaseModel):
    """How much room the files of one person take on this server."""

    user_id: str
    file_bytes: int = Field(description=f"In steps of {_STEP} bytes.")


class StorageView(BaseModel):
    """How much room is taken, in steps too large to watch anybody's talk by, and when the last backup was taken."""

    database_bytes: int = Field(description=f"By the whole server, with all its families, in steps of {_STEP} bytes.")
    people: list[KeptView]
    last_backup_at: Timestamp | None = Field(description="Null if none was taken from this server's data directory.")


@router.get("/members/{user_id}/devices", summary="Somebody's devices")
async def devices(family_id: str, user_id: str, caller: Caller, context: InContext) -> MemberDevicesView:
    """List the devices that somebody of the family is signed in on, for its admins.

    Raises:
        NotFound: the caller, or the other, does not belong to the family.
        NotAdmin: the caller is a plain member.
    """

    def work(session: Session) -> list[Device]:
        return devices_of_member(session, caller.user_id, family_id, user_id)

    found = await context.database.read(work)
    return MemberDevicesView(devices=[MemberDeviceView.model_validate(each, from_attributes=True) for each in found])


@router.delete("/members/{user_id}/devices/{device_id}", status_code=204, summary="Sign somebody's device out")
async def sign_out(family_id: str, user_id: str, device_id: str, caller: Caller, context: InContext) -> None:
    """Sign a device of somebody of the family out, say one that was lost. The person can read that in the ledger.

    Raises:
        NotFound: the caller, or the other, does not belong to the family.
        NotAdmin: the caller is a plain member.
        NoSuchDevice: the person is not signed in on it.
    """

    def work(session: Session) -> None:
        sign_out_member(session, caller.user_id, family_id, user_id, device_id)

    await context.database.between_batches(work)
    announce_revoked(context, user_id, device_id, "revoked_by_admin")


@router.get("/ledger", summary="What admins did")
async def ledger(
    family_id: str, caller: Caller, context: InContext, before: Before = None, limit: Limit = None
) -> FamilyLedgerView:
    """List what admins of the family did to its people: roles, removals, devices. Groups keep to themselves.

    Raises:
        NotFound: the caller does not belong to the family.
        NotAdmin: the caller is a plain member.
    """
    context.rate_limits.check("read", caller)
    page = await context.database.read(
        lambda session: family_audit_log(session, caller.user_id, family_id, before, limit or MAX_PAGE)
    )
    return FamilyLedgerView.model_validate(page, from_attributes=True)


@router.get("/storage", summary="How much room is taken")
async def storage(family_id: str, caller: Caller, context: InContext) -> StorageView:
    """Say how large the database is, how much each person's files take, and when the last backup was taken.

    Raises:
        NotFound: the caller does not belong to the family.
        NotAdmin: the caller is a plain member.
    """
    context.rate_limits.check("read", caller)

    def work(session: Session) -> tuple[int, dict[str, int]]:
        people = people_of(session, caller.user_id, family_id)
        return database_bytes(session), storage_of(session, people)

    database, files = await context.database.read(work)
    return StorageView(
        database_bytes=_in_steps(database),
        people=[KeptView(user_id=user_id, file_bytes=_in_steps(size)) for user_id, size in files.items()],
        last_backup_at=await asyncio.to_thread(context.data_dir.last_backup),
    )


def _in_steps(size: int) -> int:
    return -(-size // _STEP) * _STEP
