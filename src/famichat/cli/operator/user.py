"""`famichat user`: the operator's commands for user accounts."""

from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditPage, audit_log_of, entry_view
from famichat.accounts.user import Newcomer, User, find_user
from famichat.chat.families.family import families_of
from famichat.chat.records.family import FamilyRole
from famichat.cli.operator.administration import administration
from famichat.cli.operator.family import ROLE, existing_user, only_family
from famichat.cli.operator.opened_data import open_readonly
from famichat.cli.operator.password import password_stdin_option, read_password
from famichat.cli.options import counted, data_dir_option, json_option, print_result, table
from famichat.cli.refusal import Refused
from famichat.settings import load_settings
from famichat.storage.base import is_id, rfc3339
from famichat.storage.crypto.vault import BlindIndex

_generate_option = click.option(
    "--generate-password", "generate", is_flag=True, help="Generate a password and print it."
)


@click.group()
def user() -> None:
    """List, add, sign out and delete user accounts, and reset passwords."""


@user.command("list")
@data_dir_option
@json_option
def list_users(data_dir: Path | None, *, as_json: bool) -> None:
    """List all users and their families, oldest account first."""
    with open_readonly(data_dir) as data:
        users = data.database.run_read(_users)
    rows = [(each["username"], each["id"], ", ".join(f["name"] for f in each["families"])) for each in users]
    print_result({"users": users}, table([("user", "id", "families"), *rows]), as_json=as_json)


@user.command("add")
@click.argument("username")
@click.option("--email", help="An email address to sign in with.")
@click.option("--family", "family_name", help="The family to join, by name or id.")
@click.option("--role", type=ROLE, default="member", show_default=True, help="The role in the family.")
@password_stdin_option
@_generate_option
@data_dir_option
@json_option
def add_user(
    username: str,
    email: str | None,
    family_name: str | None,
    role: FamilyRole,
    data_dir: Path | None,
    *,
    password_stdin: bool,
    generate: bool,
    as_json: bool,
) -> None:
    """Create an account for USERNAME. Prompts for a password unless an option provides one."""
    Newcomer.parse(username, email)  # refuses bad names before the prompt
    with administration(load_settings(data_dir=data_dir)) as call:
        family_id = None if family_name is None else only_family(call, family_name)
        password = read_password(stdin=password_stdin, generate=generate)
        added = call("user.add", username=username, email=email, password=password, family_id=family_id, role=role)
    result = {**added, **({"password": password} if generate else {})}
    print_result(result, " ".join(f"{name}: {value}" for name, value in result.items()), as_json=as_json)


@user.command("password")
@click.argument("name")
@password_stdin_option
@_generate_option
@data_dir_option
@json_option
def change_password(name: str, data_dir: Path | None, *, password_stdin: bool, generate: bool, as_json: bool) -> None:
    """Set a new password for NAME (a username or an email address) and sign out all their devices."""
    with administration(load_settings(data_dir=data_dir)) as call:
        found = existing_user(call, name)
        password = read_password(stdin=password_stdin, generate=generate)
        result = {**found, **call("user.password", user_id=found["id"], password=password)}
    shown = {"password": password} if generate else {}
    devices = counted(result["signed_out_devices"], "device")
    text = f"Changed the password of {result['username']} and signed out {devices}."
    print_result({**result, **shown}, f"{text}\npassword: {password}" if generate else text, as_json=as_json)


@user.command("reset-link")
@click.argument("name")
@data_dir_option
@json_option
def create_reset_link(name: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Print a link with which NAME (a username or an email address) sets a new password, once, within an hour."""
    with administration(load_settings(data_dir=data_dir)) as call:
        found = existing_user(call, name)
        result = {**found, **call("user.reset_link", user_id=found["id"])}
    text = f"Send this link to {result['username']}. It works once, until {result['expires_at']}:\n{result['url']}"
    print_result(result, text, as_json=as_json)


@user.command("sign-out")
@click.argument("name")
@data_dir_option
@json_option
def sign_out_user(name: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Sign out all devices of NAME (a username or an email address). Their password keeps working."""
    with administration(load_settings(data_dir=data_dir)) as call:
        found = existing_user(call, name)
        result = {**found, **call("user.sign_out", user_id=found["id"])}
    text = f"Signed out {counted(result['signed_out_devices'], 'device')} of {result['username']}."
    print_result(result, text, as_json=as_json)


@user.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@data_dir_option
@json_option
def delete_user(name: str, data_dir: Path | None, *, yes: bool, as_json: bool) -> None:
    """Permanently delete the account of NAME (a username or an email address). Their messages stay in the chats."""
    with administration(load_settings(data_dir=data_dir)) as call:
        found = existing_user(call, name)
        if not yes:
            click.confirm(f"Permanently delete the account of {found['username']}?", abort=True, err=True)
        result = call("user.delete", user_id=found["id"])
    text = f"Deleted the account of {found['username']} (id {result['id']})."
    print_result(result, text, as_json=as_json)


@user.command("ledger")
@click.argument("name")
@click.option("--before", metavar="ID", help="Only show entries older than this one.")
@data_dir_option
@json_option
def show_audit_log(name: str, before: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List the account activity of NAME: what admins and the operator changed, newest 200 entries first.

    NAME is a username, an email address, or the id of a deleted account.
    """

    def work(session: Session) -> AuditPage:
        user_id = name if is_id(name) else _existing(session, data.index, name).id
        return audit_log_of(session, user_id, before)

    with open_readonly(data_dir) as data:
        page = data.database.run_read(work)
    rows = [
        (rfc3339(each.inserted_at), each.by_name or "(the operator)", each.action, each.role or "-", each.name or "-")
        for each in page.entries
    ]
    text = table([("when", "who", "what", "role", "of or in"), *rows])
    result = {"entries": [entry_view(each) for each in page.entries], "has_more": page.has_more}
    print_result(result, f"{text}\nThere are older entries." if page.has_more else text, as_json=as_json)


def _existing(session: Session, index: BlindIndex, name_or_email: str) -> User:
    found = find_user(session, name_or_email, index)
    if found is None:
        raise Refused("not_found", f"No user is called {name_or_email}")
    return found


def _users(session: Session) -> list[dict[str, Any]]:
    users = session.execute(select(User).where(User.deleted_at.is_(None)).order_by(User.id)).scalars()
    return [
        {
            "id": each.id,
            "username": each.username,
            "display_name": each.display_name,
            "families": [{"id": f.family_id, "name": f.name, "role": f.role} for f in families_of(session, each.id)],
            "last_login_at": None if each.last_login_at is None else rfc3339(each.last_login_at),
            "inserted_at": rfc3339(each.inserted_at),
        }
        for each in users
    ]
