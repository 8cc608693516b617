"""`famichat family`: the operator's commands for families."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from famichat.chat.families.family import members_of, shown_name
from famichat.chat.records.family import Family, FamilyRole
from famichat.cli.operator.administration import Call, administration
from famichat.cli.operator.opened_data import open_readonly
from famichat.cli.options import data_dir_option, json_option, print_result, table
from famichat.cli.refusal import Refused
from famichat.settings import load_settings
from famichat.storage.base import is_id, rfc3339

T = TypeVar("T")
ROLE = click.Choice(["admin", "member", "child"])


@click.group()
def family() -> None:
    """List and add families, and change their members."""


@family.command("list")
@data_dir_option
@json_option
def list_families(data_dir: Path | None, *, as_json: bool) -> None:
    """List all families, with their members."""
    with open_readonly(data_dir) as data:
        found = data.database.run_read(_families)
    rows = [(each["name"], each["id"], ", ".join(_member_text(member) for member in each["members"])) for each in found]
    print_result({"families": found}, table([("family", "id", "members"), *rows]), as_json=as_json)


@family.command("add")
@click.argument("name")
@click.option("--admin", required=True, help="The family's admin: a username or an email address.")
@data_dir_option
@json_option
def add_family(name: str, admin: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Create the family NAME. Its admin needs an account first."""
    with administration(load_settings(data_dir=data_dir)) as call:
        admin_id = existing_user(call, admin, "Create the account with `famichat user add`")["id"]
        result = call("family.add", name=name, admin_id=admin_id)
    print_result(result, f"Created the family {result['name']}: {result['id']}", as_json=as_json)


@family.command("role")
@click.argument("name")
@click.argument("person")
@click.argument("role", type=ROLE)
@data_dir_option
@json_option
def change_role(name: str, person: str, role: FamilyRole, data_dir: Path | None, *, as_json: bool) -> None:
    """Make PERSON (a username or an email address) an admin, a member or a child of the family NAME."""
    with administration(load_settings(data_dir=data_dir)) as call:
        family_id, user = only_family(call, name), existing_user(call, person)
        result = call("family.role", family_id=family_id, user_id=user["id"], role=role)
    role_text = {"admin": "an admin", "member": "a member", "child": "a child"}[role]
    print_result(result, f"{user['username']} is now {role_text} of {name}.", as_json=as_json)


@family.command("remove")
@click.argument("name")
@click.argument("person")
@data_dir_option
@json_option
def remove_member(name: str, person: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Remove PERSON (a username or an email address) from the family NAME, its chat and its groups."""
    with administration(load_settings(data_dir=data_dir)) as call:
        family_id, user = only_family(call, name), existing_user(call, person)
        result = call("family.remove", family_id=family_id, user_id=user["id"])
    print_result(result, f"Removed {user['username']} from {name}.", as_json=as_json)


def existing_user(call: Call, name_or_email: str, advice: str = "") -> dict[str, Any]:
    """Return the id and the username of a user.

    Raises:
        Refused: `not_found` if there is none; the message ends with the advice.
    """
    found = call("user.find", name=name_or_email)
    if found["id"] is None:
        raise Refused("not_found", f"No user is called {name_or_email}. {advice}".rstrip(" ."))
    return found


def only_family(call: Call, name_or_id: str) -> str:
    """Return the id of the family with this name or id.

    Raises:
        Refused: `not_found` if there is none, or `ambiguous` if several have this name.
    """
    ids: list[str] = call("family.find", name=name_or_id)["ids"]
    return _only(ids, name_or_id)


def find_family(session: Session, name_or_id: str) -> Family:
    """Return the family with this name or id.

    Raises:
        Refused: `not_found` if there is none, or `ambiguous` if several have this name.
    """
    same = Family.name == name_or_id
    matching = or_(same, Family.id == name_or_id) if is_id(name_or_id) else same
    return _only(session.execute(select(Family).where(matching)).scalars().all(), name_or_id)


def _only(found: Sequence[T], name_or_id: str) -> T:
    if not found:
        raise Refused("not_found", f"No family is called {name_or_id}")
    if len(found) > 1:
        raise Refused("ambiguous", f"{len(found)} families are called {name_or_id}. Use the id instead")
    return found[0]


def _families(session: Session) -> list[dict[str, Any]]:
    return [
        {
            "id": each.id,
            "name": shown_name(each),
            "created_at": rfc3339(each.created_at),
            "members": [
                {
                    "user_id": member.user_id,
                    "username": member.username,
                    "display_name": member.profile.display_name,
                    "role": member.role,
                }
                for member in members_of(session, each.id)
            ],
        }
        for each in session.execute(select(Family).order_by(Family.id)).scalars()
    ]


def _member_text(member: dict[str, str]) -> str:
    return f"{member['username']} (admin)" if member["role"] == "admin" else member["username"]
