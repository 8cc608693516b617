"""`famichat family`: families, as the operator manages them."""

from pathlib import Path
from typing import Any

import click
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from famichat.accounts.user import find_user
from famichat.chat.families.family import FamilyMember, create_family, members_of
from famichat.chat.families.membership import change_role_by_operator
from famichat.chat.records.family import Family, FamilyRole
from famichat.cli.opened_data import open_for_writing, open_readonly
from famichat.cli.options import answer, data_dir_option, json_option, table
from famichat.cli.refusal import Refused
from famichat.settings import load_settings
from famichat.storage.base import is_id, rfc3339

ROLE = click.Choice(["admin", "member"])


@click.group()
def family() -> None:
    """List and add families, and change their admins."""


@family.command("list")
@data_dir_option
@json_option
def list_families(data_dir: Path | None, *, as_json: bool) -> None:
    """List all families with their members."""
    with open_readonly(data_dir) as data:
        found = data.database.run_read(_families)
    rows = [(each["name"], each["id"], ", ".join(_shown(member) for member in each["members"])) for each in found]
    answer({"families": found}, table([("family", "id", "members"), *rows]), as_json=as_json)


@family.command("add")
@click.argument("name")
@click.option("--admin", required=True, help="Who administers it: a username or an e-mail address.")
@data_dir_option
@json_option
def add_family(name: str, admin: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Found the family NAME, with somebody who has an account as its admin."""
    with open_for_writing(load_settings(data_dir=data_dir)) as desk:

        def work(session: Session) -> dict[str, str]:
            person = find_user(session, admin, desk.index)
            if person is None:
                raise Refused("not_found", f"Nobody here is called {admin}; `famichat user add` makes an account")
            founded = create_family(session, name, person.id)
            return {"id": founded.id, "name": founded.name, "admin_id": person.id}

        told = desk.database.run(work)
    answer(told, f"{told['name']} is founded: {told['id']}", as_json=as_json)


@family.command("role")
@click.argument("name")
@click.argument("person")
@click.argument("role", type=ROLE)
@data_dir_option
@json_option
def give_role(name: str, person: str, role: FamilyRole, data_dir: Path | None, *, as_json: bool) -> None:
    """Make PERSON, a username or an e-mail address, an admin or a member of the family NAME."""
    # A running server would not tell that person's devices.
    with open_for_writing(load_settings(data_dir=data_dir), stopped=True) as desk:

        def work(session: Session) -> FamilyMember:
            found, user = find_family(session, name), find_user(session, person, desk.index)
            if user is None:
                raise Refused("not_found", f"Nobody here is called {person}")
            return change_role_by_operator(session, found.id, user.id, role)

        member = desk.database.run(work)
    told = {"user_id": member.user_id, "username": member.username, "role": member.role}
    answer(told, f"{member.username} is {'an admin' if role == 'admin' else 'a member'} of {name}.", as_json=as_json)


def find_family(session: Session, name_or_id: str) -> Family:
    """The one family of this name or id.

    Raises:
        Refused: there is none, or more than one.
    """
    same = Family.name == name_or_id
    matching = or_(same, Family.id == name_or_id) if is_id(name_or_id) else same
    found = session.execute(select(Family).where(matching)).scalars().all()
    if not found:
        raise Refused("not_found", f"There is no family called {name_or_id}")
    if len(found) > 1:
        raise Refused("ambiguous", f"{len(found)} families are called {name_or_id}; give the id")
    return found[0]


def _families(session: Session) -> list[dict[str, Any]]:
    return [
        {
            "id": each.id,
            "name": each.name,
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


def _shown(member: dict[str, str]) -> str:
    return f"{member['username']} (admin)" if member["role"] == "admin" else member["username"]
