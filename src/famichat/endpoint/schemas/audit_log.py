"""JSON schemas of audit log entries."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field

from famichat.accounts.audit_log import Action
from famichat.endpoint.http.timestamp import Timestamp
from famichat.storage.base import is_id


class AuditEntryView(BaseModel):
    """One audit log entry. It names its objects by id; they may no longer exist."""

    id: str
    action: Action
    by_id: str | None = Field(description="The user who did it; null for the server operator.")
    by_name: str | None = Field(description="The name of that user at the time.")
    name: str | None = Field(description="The name of the group, family, device or contact at the time.")
    role: Literal["admin", "member", "child"] | None = Field(description="For a role change: the new role.")
    family_id: str | None
    conversation_id: str | None
    message_id: str | None
    device_id: str | None
    inserted_at: Timestamp


def _check_id(value: str | None) -> str | None:
    if value is not None and not is_id(value):
        raise ValueError("not the id of an entry")
    return value


Before = Annotated[str | None, AfterValidator(_check_id), Query(description="The id of the last entry already read.")]
