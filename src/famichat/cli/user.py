"""`famichat user`: people with an account, as the operator sees them."""

import asyncio
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditPage, audit_log_of
from famichat.accounts.sign_in.password import hash_password
from famichat.accounts.sign_in.reset import set_password_by_operator
from famichat.accounts.user import Newcomer, User, find_user, register
from famichat.chat.account_deletion import delete_account_by_operator, delete_orphans
from famichat.chat.families.family import families_of
from famichat.chat.families.membership import add_member
from famichat.chat.records.family import FamilyRole
from famichat.cli.family import ROLE, find_family
from famichat.cli.opened_data import OpenedData, open_for_writing, open_readonly
from famichat.cli.options import answer, data_dir_option, json_option, table
from famichat.cli.password import password_stdin_option, read_password
from famichat.cli.refusal import Refused
from famichat.settings import load_settings
from famichat.storage.base import is_id, rfc3339

_generate_option = click.option(
    "--generate-password", "generate", is_flag=True, help="Generate a password and print it."
)


@click.group()
def user() -> None:
    """List, add and delete user accounts, and reset passwords."""


@user.command("list")
@data_dir_option
@json_option
def list_users(data_dir: Path | None, *, as_json: bool) -> None:
    """List all users and their families, oldest account first."""
    with open_readonly(data_dir) as desk:
        people = desk.database.run_read(_people)
    rows = [(each["username"], each["id"], ", ".join(f["name"] for f in each["families"])) for each in people]
    answer({"users": people}, table([("user", "id", "families"), *rows]), as_json=as_json)


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
    newcomer = Newcomer.parse(username, email)
    with open_for_writing(load_settings(data_dir=data_dir)) as desk:
        password = read_password(stdin=password_stdin, generate=generate)
        password_hash = asyncio.run(hash_password(password, newcomer.username.shown))

        def work(session: Session) -> str:
            family_id = find_family(session, family_name).id if family_name is not None else None
            added = register(session, newcomer, password_hash, desk.vault, desk.index)
            if family_id is not None:
                add_member(session, family_id, added.id, role)
            return added.id

        user_id = desk.database.run(work)
    shown = {"password": password} if generate else {}
    told = {"id": user_id, "username": newcomer.username.shown, **shown}
    answer(told, " ".join(f"{name}: {value}" for name, value in told.items()), as_json=as_json)


@user.command("password")
@click.argument("name")
@password_stdin_option
@_generate_option
@data_dir_option
@json_option
def change_password(name: str, data_dir: Path | None, *, password_stdin: bool, generate: bool, as_json: bool) -> None:
    """Set a new password for NAME (a username or an email address) and sign out all their devices."""
    # A running server would not close what these devices have open.
    with open_for_writing(load_settings(data_dir=data_dir), stopped=True) as desk:
        username = desk.database.run_read(lambda session: _existing(session, desk, name).username)
        password = read_password(stdin=password_stdin, generate=generate)
        password_hash = asyncio.run(hash_password(password, username))
        done = desk.database.run(
            lambda session: set_password_by_operator(session, _existing(session, desk, name), password_hash)
        )
    shown = {"password": password} if generate else {}
    told = {"id": done.user_id, "username": username, "signed_out_devices": len(done.device_ids), **shown}
    text = f"Changed the password of {username} and signed out {len(done.device_ids)} devices."
    answer(told, f"{text}\npassword: {password}" if generate else text, as_json=as_json)


@user.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@data_dir_option
@json_option
def delete_user(name: str, data_dir: Path | None, *, yes: bool, as_json: bool) -> None:
    """Permanently delete the account of NAME (a username or an email address). Their messages stay in the chats."""
    # A running server would not close what this person has open, nor tell the others.
    with open_for_writing(load_settings(data_dir=data_dir), stopped=True) as desk:
        username = desk.database.run_read(lambda session: _existing(session, desk, name).username)
        if not yes:
            click.confirm(f"Permanently delete the account of {username}?", abort=True, err=True)
        gone = desk.database.run(lambda session: delete_account_by_operator(session, _existing(session, desk, name).id))
        while desk.database.run(delete_orphans):
            pass
    answer({"id": gone.user_id}, f"Deleted the account of {username} (id {gone.user_id}).", as_json=as_json)


@user.command("ledger")
@click.argument("name")
@click.option("--before", metavar="ID", help="Only show entries older than this one.")
@data_dir_option
@json_option
def show_ledger(name: str, before: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List the account activity of NAME: what admins and the operator changed, newest 200 entries first.

    NAME is a username, an email address, or the id of a deleted account.
    """
    from famichat.endpoint.api.audit_log import ledger_view  # noqa: PLC0415 - only here, as it takes the HTTP API with it

    def work(session: Session) -> AuditPage:
        return audit_log_of(session, name if is_id(name) else _existing(session, desk, name).id, before)

    with open_readonly(data_dir) as desk:
        page = ledger_view(desk.database.run_read(work))
    rows = [
        (rfc3339(each.inserted_at), each.by_name or "(the operator)", each.action, each.role or "-", each.name or "-")
        for each in page.entries
    ]
    text = table([("when", "who", "what", "role", "of or in"), *rows])
    answer(page.model_dump(mode="json"), f"{text}\nOlder ones follow." if page.has_more else text, as_json=as_json)


def _existing(session: Session, desk: OpenedData, name: str) -> User:
    found = find_user(session, name, desk.index)
    if found is None:
        raise Refused("not_found", f"No user is called {name}")
    return found


def _people(session: Session) -> list[dict[str, Any]]:
    everybody = session.execute(select(User).where(User.deleted_at.is_(None)).order_by(User.id)).scalars()
    return [
        {
            "id": person.id,
            "username": person.username,
            "display_name": person.display_name,
            "families": [{"id": f.family_id, "name": f.name, "role": f.role} for f in families_of(session, person.id)],
            "last_login_at": None if person.last_login_at is None else rfc3339(person.last_login_at),
            "inserted_at": rfc3339(person.inserted_at),
        }
        for person in everybody
    ]
