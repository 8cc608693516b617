"""docs/groups.md describes the server correctly: its tables are tested and its examples are run."""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from famichat.cli.program import program
from tests.support.app import RunningApp

PAGE = (Path(__file__).parents[2] / "docs" / "groups.md").read_text()


def table(first: str) -> dict[str, dict[str, str]]:
    """Parse the table with this first column; return the cells by row and column."""
    [block] = re.findall(rf"^(\| {first} \|.*\n(?:\|.*\n)+)", PAGE, re.MULTILINE)
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
    return {row[0]: {who: cell.strip("`") for who, cell in zip(header[1:], row[1:], strict=True)} for row in rows}


LAST_ADMIN = table("the last admin")


@pytest.mark.parametrize("company", ["while others are in it", "alone in it"])
async def test_the_last_admin_may_do_what_the_table_says(app: RunningApp, company: str) -> None:
    home = app.home
    others = [home.emil.user_id, home.inga.user_id]
    outcomes = {}
    async with app.http(home.maja) as maja:
        for action, method, rest in (("leaves", "DELETE", ""), ("steps down", "PUT", "/role")):
            made = (await maja.post("/conversations/group", json={"name": "Fika", "member_ids": others})).json()
            members = f"/conversations/{made['id']}/members"
            for other in others if company == "alone in it" else []:
                await maja.delete(f"{members}/{other}")
            wanted = {"role": "member"} if rest else None
            answer = await maja.request(method, f"{members}/{home.maja.user_id}{rest}", json=wanted)
            outcomes[action] = "yes" if answer.is_success else answer.json()["code"]

    assert outcomes == {action: row[company] for action, row in LAST_ADMIN.items()}


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def test_the_terminal_examples_work_in_this_order(app: RunningApp) -> None:
    [lines] = examples("console")
    signed_in = {"FAMICHAT_URL": app.url, "FAMICHAT_TOKEN": app.token(app.home.maja)}
    reported = {}
    for line in lines.splitlines():
        _, *arguments = shlex.split(line)
        done = await asyncio.to_thread(CliRunner().invoke, program, arguments, env=signed_in)
        assert done.exit_code == 0, (line, done.output)
        reported[arguments[1]] = done.output

    assert reported["rename"] == "Renamed to Crayfish party.\n"
    listed = {each["name"]: each for each in json.loads(reported["list"])["conversations"]}
    assert listed["Crayfish party"]["history"] == "all"
    assert {(each["user_id"], each["role"]) for each in listed["Crayfish party"]["members"]} == {
        (app.home.maja.user_id, "admin"),
        (app.home.emil.user_id, "member"),
        (app.home.nils.user_id, "admin"),
    }
    async with app.http(app.home.nils) as nils:
        group = (await nils.get(f"/conversations/{listed['Crayfish party']['id']}")).json()
    assert app.home.maja.user_id not in [each["user_id"] for each in group["members"]]


async def start(app: RunningApp, *command: str, group: str = "") -> asyncio.subprocess.Process:
    """Run an example from the page in a shell."""
    ids = {person.username.upper(): person.user_id for person in app.home.everyone}
    variables = {"FAMICHAT_URL": app.url, "TOKEN": app.token(app.home.maja), "GROUP": group, **ids}
    return await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **variables, "NILS_TOKEN": app.token(app.home.nils)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_examples_work_in_this_order(app: RunningApp) -> None:
    group, answers = "", []
    listener = await start(app, sys.executable, "-c", *examples("python"))
    assert listener.stdout is not None
    async with asyncio.timeout(30):
        assert await listener.stdout.readline() == b"listening\n"
        for example in examples("bash"):
            curl = await start(app, "bash", "-c", example, group=group)
            output, _ = await curl.communicate()
            assert curl.returncode == 0
            answers.append(json.loads(output or "{}"))
            group = group or answers[0]["id"]
        async with app.http(app.home.nils) as nils:
            assert (await nils.get(f"/conversations/{group}")).json()["members"] == [
                {"user_id": each.user_id, "role": role}
                for each, role in ((app.home.emil, "member"), (app.home.inga, "member"), (app.home.nils, "admin"))
            ]
            place = f"/conversations/{group}/members/"
            for each in (app.home.emil, app.home.inga, app.home.nils):
                await nils.delete(place + each.user_id)
        received, errors = await listener.communicate()

    assert (received, errors) == (b"I am in Fika\nI am out\n", b"")
