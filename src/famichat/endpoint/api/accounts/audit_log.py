"""The caller's account history: what other people did to it, from the audit log."""

from pydantic import BaseModel

from famichat.actions.accounts.audit_log import read_audit_log
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.audit_log import AuditEntryView, Before
from famichat.endpoint.schemas.parameters import Limit

router = api_router("/me/ledger", "me")


class AuditLogView(BaseModel):
    """Entries, newest first; `has_more` is true if there are older ones."""

    entries: list[AuditEntryView]
    has_more: bool


@router.get("", summary="Show my account history")
async def audit_log(caller: Caller, context: InContext, before: Before = None, limit: Limit = None) -> AuditLogView:
    """List what admins and the operator did to the caller: roles, removals, devices, messages, the password."""
    page = await read_audit_log(context, caller, before, limit)
    return AuditLogView.model_validate(page, from_attributes=True)
