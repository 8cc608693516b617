"""`famichat invite`: the operator's commands for family invitations."""

from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from famichat.accounts.invite import MAX_LIFE, Invite, open_invites
from famichat.chat.records.family import FamilyRole
from famichat.cli.operator.administration import administration
from famichat.cli.operator.family import ROLE, find_family, only_family
from famichat.cli.operator.opened_data import open_readonly
from famichat.cli.options import data_dir_option, json_option, print_result, table
from famichat.settings import load_settings
from famichat.storage.base import rfc3339


@click.group()
def invite() -> None:
    """Create, list and revoke family invitations."""


@invite.command("create")
@click.argument("family")
@click.option("--role", type=ROLE, default="member", show_default=True, help="The new member's role.")
@click.option(
    "--days",
    type=click.IntRange(1, MAX_LIFE.days),
    default=7,
    show_default=True,
    help="Days until the invitation expires.",
)
@data_dir_option
@json_option
def create(family: str, role: FamilyRole, days: int, data_dir: Path | None, *, as_json: bool) -> None:
    """Create an invitation to FAMILY (a name or id) for one person and print its link."""
    with administration(load_settings(data_dir=data_dir)) as call:
        result = call("invite.create", family_id=only_family(call, family), role=role, days=days)
    text = f"Send this link to one person. It works once, until {result['expires_at']}:\n{result['url']}"
    print_result(result, text, as_json=as_json)


@invite.command("list")
@click.argument("family")
@data_dir_option
@json_option
def list_invites(family: str, data_dir: Path | None, *, as_json: bool) -> None:
    """List the open invitations to FAMILY."""

    def work(session: Session) -> list[dict[str, Any]]:
        return [_view(each) for each in open_invites(session, find_family(session, family).id)]

    with open_readonly(data_dir) as data:
        found = data.database.run_read(work)
    rows = [(each["id"], each["role"], each["expires_at"]) for each in found]
    print_result({"invites": found}, table([("id", "role", "expires"), *rows]), as_json=as_json)


@invite.command("revoke")
@click.argument("family")
@click.argument("invite_id")
@data_dir_option
@json_option
def revoke(family: str, invite_id: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Revoke the invitation INVITE_ID to FAMILY. Its link stops working."""
    with administration(load_settings(data_dir=data_dir)) as call:
        result = call("invite.revoke", family_id=only_family(call, family), invite_id=invite_id)
    print_result(result, "Invitation revoked.", as_json=as_json)


def _view(found: Invite) -> dict[str, Any]:
    return {
        "id": found.id,
        "family_id": found.family_id,
        "role": found.role,
        "created_at": rfc3339(found.created_at),
        "expires_at": rfc3339(found.expires_at),
    }
