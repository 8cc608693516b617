"""`famichat group` with text and JSON output. A separate test runs the examples of docs/groups.md."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from famichat.cli.program import program
from tests.factories.people import Person
from tests.support.app import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def group(app: RunningApp, who: Person, *arguments: str) -> Result:
    """Run a group command as a user."""
    signed_in = {"FAMICHAT_URL": app.url, "FAMICHAT_TOKEN": app.token(who)}
    return await asyncio.to_thread(CliRunner().invoke, program, ["group", *arguments], env=signed_in)


async def in_json(app: RunningApp, who: Person, *arguments: str) -> dict[str, Any]:
    done = await group(app, who, *arguments, "--json")
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


async def test_group_commands_print_text(shared_app: RunningApp) -> None:
    maja, emil = shared_app.home.maja, shared_app.home.emil
    made = await group(shared_app, maja, "create", "Words", "emil", "inga")
    sent = [
        await group(shared_app, maja, *arguments)
        for arguments in (
            ("add", "Words", "nils"),
            ("role", "Words", "nils", "admin"),
            ("rename", "Words", "Other words"),
            ("remove", "Other words", "inga"),
        )
    ]
    listed = await group(shared_app, emil, "list")
    left = await group(shared_app, emil, "leave", "Other words")

    assert made.stdout.startswith("Created Words: ")
    assert [each.stdout for each in sent] == [
        "Added nils to Words.\n",
        "nils is now an admin of Words.\n",
        "Renamed to Other words.\n",
        "Removed inga.\n",
    ]
    assert next(line for line in listed.stdout.splitlines() if "Other words" in line).endswith(
        "maja (admin), emil, nils (admin)"
    )
    assert left.stdout == "You left the group.\n"


async def test_programs_get_what_the_api_answers(shared_app: RunningApp) -> None:
    home = shared_app.home
    made = await in_json(shared_app, home.maja, "create", "Json", "emil", home.inga.user_id, "--history", "all")
    removed = await in_json(shared_app, home.maja, "remove", made["id"], "emil")
    listed = await in_json(shared_app, home.maja, "list")

    assert (made["type"], made["name"], made["history"]) == ("group", "Json", "all")
    assert removed == {"removed": home.emil.user_id}
    assert made["id"] in [each["id"] for each in listed["conversations"]]
    assert {each["type"] for each in listed["conversations"]} == {"group"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "Too few", "emil"), "invalid_members"),
        (("create", "Nobody", "emil", "olle"), "not_found"),
        (("rename", "Holiday", "Mine"), "not_admin"),
        (("add", "Holiday", "nils"), "not_admin"),
        (("role", "Holiday", "emil", "admin"), "not_admin"),
        (("leave", "direct"), "not_group_conversation"),
        (("leave", "No such group"), "not_found"),
    ],
)
async def test_an_error_is_printed_as_a_sentence(shared_app: RunningApp, arguments: tuple[str, ...], code: str) -> None:
    done = await group(shared_app, shared_app.home.emil, *arguments)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("famichat: ")
    assert done.stderr.endswith(f"({code})\n")


async def test_without_a_sign_in_the_error_names_the_command(
    shared_app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(shared_app.settings.data_dir))
    done = await asyncio.to_thread(CliRunner().invoke, program, ["group", "list"])

    assert (done.exit_code, done.stderr[-15:]) == (1, "(unauthorized)\n")
