"""What others did to the caller, as the ledger has it."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field

from famichat.accounts.audit_log import MAX_PAGE, Action, AuditPage, audit_log_of
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.parameters import Limit
from famichat.storage.base import is_id

router = api_router("/me/ledger", "me")


class EntryView(BaseModel):
    """One thing that was done. What it was done to is named by ids, and is perhaps gone by now."""

    id: str
    action: Action
    by_id: str | None = Field(description="Who did it; null for the operator of the server.")
    by_name: str | None = Field(description="What that person was called then.")
    name: str | None = Field(description="What the group, the family or the device was called then.")
    role: Literal["admin", "member"] | None = Field(description="Of a changed role: what it became.")
    family_id: str | None
    conversation_id: str | None
    message_id: str | None
    device_id: str | None
    inserted_at: Timestamp


class LedgerView(BaseModel):
    """Entries, the newest first; `has_more` says that older ones follow."""

    entries: list[EntryView]
    has_more: bool


def _an_id(value: str | None) -> str | None:
    if value is not None and not is_id(value):
        raise ValueError("this is not the id of an entry")
    return value


Before = Annotated[str | None, AfterValidator(_an_id), Query(description="The id of the last entry that one has.")]


@router.get("", summary="What was done to me")
async def ledger(caller: Caller, context: InContext, before: Before = None, limit: Limit = None) -> LedgerView:
    """List what admins and the operator did to the caller: roles, removals, devices, messages, the password."""
    context.rate_limits.check("read", caller)
    page = await context.database.read(lambda session: audit_log_of(session, caller.user_id, before, limit or MAX_PAGE))
    return ledger_view(page)


def ledger_view(page: AuditPage) -> LedgerView:
    """Entries, as they are told to whom they concern."""
    return LedgerView.model_validate(page, from_attributes=True)
