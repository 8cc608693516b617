"""`famichat group`: commands for groups. They require a sign-in to a running server."""

from typing import Any

import click

from famichat.cli.member.prompts import display_names, find_conversation, find_person, open_remote, signed_in
from famichat.cli.member.remote import Remote
from famichat.cli.options import json_option, print_result, table, visible
from famichat.cli.refusal import Refused

ROLE = click.Choice(["admin", "member"])


@click.group()
def group() -> None:
    """Create groups, change their members, or leave them.

    GROUP is a group's name or id. PERSON is a username, a display name or an id.
    """


@group.command("list")
@signed_in
@json_option
def list_groups(url: str | None, token: str | None, *, as_json: bool) -> None:
    """List your groups and their members."""
    with open_remote(url, token) as remote:
        found = [each for each in remote.run(remote.client.conversations()) if each["type"] == "group"]
        names = display_names(remote) if found and not as_json else {}
    rows = [(each["name"], each["id"], _people(each, names)) for each in found]
    print_result({"conversations": found}, table([("group", "id", "members"), *rows]), as_json=as_json)


@group.command("create")
@click.argument("name")
@click.argument("person", nargs=-1, required=True)
@click.option(
    "--history",
    type=click.Choice(["joined", "all"]),
    default="joined",
    show_default=True,
    help="What new members see: messages since they joined, or all messages.",
)
@signed_in
@json_option
def create_group(
    name: str, person: tuple[str, ...], history: str, url: str | None, token: str | None, *, as_json: bool
) -> None:
    """Create the group NAME with each PERSON. You become its admin."""
    with open_remote(url, token) as remote:
        ids = [find_person(remote, each) for each in person]
        created = remote.post("/conversations/group", {"name": name, "member_ids": ids, "history": history})
    print_result(created, f"Created {visible(created['name'])}: {created['id']}", as_json=as_json)


@group.command("add")
@click.argument("group")
@click.argument("person")
@signed_in
@json_option
def add_person(group: str, person: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Add PERSON from the family to GROUP."""
    with open_remote(url, token) as remote:
        changed = remote.post(_members(remote, group), {"user_id": find_person(remote, person)})
    print_result(changed, f"Added {person} to {visible(changed['name'])}.", as_json=as_json)


@group.command("remove")
@click.argument("group")
@click.argument("person")
@signed_in
@json_option
def remove_person(group: str, person: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Remove PERSON from GROUP."""
    with open_remote(url, token) as remote:
        user_id = find_person(remote, person)
        remote.request("DELETE", f"{_members(remote, group)}/{user_id}")
    print_result({"removed": user_id}, f"Removed {person}.", as_json=as_json)


@group.command("leave")
@click.argument("group")
@signed_in
@json_option
def leave_group(group: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Leave GROUP."""
    with open_remote(url, token) as remote:
        conversation = find_conversation(remote, group)
        if conversation["type"] != "group":
            raise Refused("not_group_conversation", "Not a group. Use `famichat leave` for a direct conversation")
        user_id = remote.get("/me")["id"]
        remote.request("DELETE", f"/conversations/{conversation['id']}/members/{user_id}")
    print_result({"removed": user_id}, "You left the group.", as_json=as_json)


@group.command("rename")
@click.argument("group")
@click.argument("name")
@signed_in
@json_option
def rename_group(group: str, name: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Rename GROUP to NAME."""
    with open_remote(url, token) as remote:
        changed = remote.request("PATCH", f"/conversations/{find_conversation(remote, group)['id']}", {"name": name})
    print_result(changed, f"Renamed to {visible(changed['name'])}.", as_json=as_json)


@group.command("role")
@click.argument("group")
@click.argument("person")
@click.argument("role", type=ROLE)
@signed_in
@json_option
def change_role(group: str, person: str, role: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Make PERSON an admin or a member of GROUP."""
    with open_remote(url, token) as remote:
        path = f"{_members(remote, group)}/{find_person(remote, person)}/role"
        changed = remote.request("PUT", path, {"role": role})
    print_result(
        changed,
        f"{person} is now {'an admin' if role == 'admin' else 'a member'} of {visible(changed['name'])}.",
        as_json=as_json,
    )


def _members(remote: Remote, group: str) -> str:
    return f"/conversations/{find_conversation(remote, group)['id']}/members"


def _people(conversation: dict[str, Any], names: dict[str, str]) -> str:
    shown = [(names.get(each["user_id"], "former member"), each["role"]) for each in conversation["members"]]
    return ", ".join(f"{name} (admin)" if role == "admin" else name for name, role in shown)
