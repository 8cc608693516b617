"""docs/groups.md says what the server does: the cases are made from its tables, and its examples are run."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp
from tests.support.channel_client import ChannelClient

PAGE = (Path(__file__).parents[2] / "docs" / "groups.md").read_text()

Act = Callable[["Scene"], Awaitable[str]]


def table(first: str) -> dict[str, dict[str, str]]:
    """The table whose first column is called so: cells by row and column."""
    [block] = re.findall(rf"^(\| {first} \|.*\n(?:\|.*\n)+)", PAGE, re.MULTILINE)
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
    return {row[0]: {who: cell.strip("`") for who, cell in zip(header[1:], row[1:], strict=True)} for row in rows}


WHO_MAY = table("action")
LAST_ADMIN = table("the last admin")


class Scene:
    """A group of Maja and Inga, its admins, Emil and Sven; and somebody who wants something of it.

    Nils was in it, and Gun never was, although both are of the family.
    """

    def __init__(self, app: RunningApp, people: dict[str, Person], group: str, actor: Person | None) -> None:
        self.people = people
        self.group = f"/conversations/{group}"
        self._topic = f"message:group:{group}"
        self._actor = actor
        self._app = app

    @property
    def own_place(self) -> str:
        """Where the actor would be in the group."""
        return self.place("nils") if self._actor is None else f"{self.group}/members/{self._actor.user_id}"

    def place(self, who: str) -> str:
        return f"{self.group}/members/{self.people[who].user_id}"

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> str:
        """What comes of a request: `yes`, or the code of the refusal."""
        async with self._app.http(self._actor) as http:
            answer = await http.request(method, path, json=body)
        return "yes" if answer.is_success else str(answer.json()["code"])

    async def listen(self) -> str:
        """What comes of joining the group's channel."""
        token = None if self._actor is None else self._app.token(self._actor)
        try:
            async with ChannelClient.connect(f"{self._app.url}/socket", token=token) as client:
                await client.send_join(self._topic)
                reply = await client.next_frame()
        except InvalidStatus as refused:
            return str(refused.response.status_code)
        return "yes" if reply.status == "ok" else str(reply.response["reason"])


def role(who: str, wanted: str) -> Act:
    return lambda scene: scene.ask("PUT", f"{scene.place(who)}/role", {"role": wanted})


def add(who: str) -> Act:
    return lambda scene: scene.ask("POST", f"{scene.group}/members", {"user_id": scene.people[who].user_id})


def remove(who: str) -> Act:
    return lambda scene: scene.ask("DELETE", scene.place(who))


ACTS: dict[str, Act] = {
    "see it": lambda scene: scene.ask("GET", scene.group),
    "read messages": lambda scene: scene.ask("GET", f"{scene.group}/messages"),
    "send a message": lambda scene: scene.ask("POST", f"{scene.group}/messages", {"body": "hello"}),
    "listen": lambda scene: scene.listen(),
    "hide it": lambda scene: scene.ask("PUT", f"{scene.group}/hidden"),
    "rename it": lambda scene: scene.ask("PATCH", scene.group, {"name": "Fika"}),
    "add somebody of the family": add("nils"),
    "add a stranger": add("ada"),
    "remove a member": remove("sven"),
    "remove an admin": remove("inga"),
    "remove somebody who is not in it": remove("nils"),
    "leave": lambda scene: scene.ask("DELETE", scene.own_place),
    "make a member admin": role("emil", "admin"),
    "make an admin a member": role("inga", "member"),
    "give a role to somebody who is not in it": role("nils", "admin"),
    "step down": lambda scene: scene.ask("PUT", f"{scene.own_place}/role", {"role": "member"}),
}

ACTORS = {
    "admin": "maja",
    "member": "emil",
    "former member": "nils",
    "of the family": "gun",
    "stranger": "ada",
    "nobody": None,
}


@pytest.fixture
async def people(app: RunningApp) -> dict[str, Person]:
    """The household by name, with Sven and Gun, who come by invitation."""
    home = app.home
    found = {each.username: each for each in (*home.everybody, home.ada)}
    async with app.http(home.maja) as maja:
        for name in ("sven", "gun"):
            invite = (await maja.post(f"/families/{home.family_id}/invites", json={})).json()
            account = {"username": name, "password": PASSWORD}
            session = (await maja.post(f"/invites/{invite['token']}/accept", json=account)).json()
            found[name] = Person(session["user"]["id"], session["device_id"], name)
    return found


async def set_the_scene(app: RunningApp, people: dict[str, Person], actor: Person | None) -> Scene:
    others = [people[name].user_id for name in ("inga", "emil", "sven", "nils")]
    async with app.http(people["maja"]) as maja:
        made = await maja.post("/conversations/group", json={"name": "Holiday", "member_ids": others})
        scene = Scene(app, people, made.json()["id"], actor)
        await maja.put(f"{scene.place('inga')}/role", json={"role": "admin"})
        await maja.delete(scene.place("nils"))
    return scene


def test_the_table_has_every_action_and_everybody() -> None:
    assert list(WHO_MAY) == list(ACTS)
    assert all(list(row) == list(ACTORS) for row in WHO_MAY.values())


@pytest.mark.parametrize("who", ACTORS)
async def test_everybody_may_do_what_the_table_says_and_nothing_else(
    app: RunningApp, people: dict[str, Person], who: str
) -> None:
    name = ACTORS[who]
    actor = None if name is None else people[name]

    outcomes = {action: await act(await set_the_scene(app, people, actor)) for action, act in ACTS.items()}

    assert outcomes == {action: row[who] for action, row in WHO_MAY.items()}


@pytest.mark.parametrize("company", ["while others are in it", "alone in it"])
async def test_the_last_admin_may_do_what_the_table_says(
    app: RunningApp, people: dict[str, Person], company: str
) -> None:
    outcomes = {}
    for action, act in (("leaves", "leave"), ("steps down", "step down")):
        scene = await set_the_scene(app, people, people["maja"])
        for name in ("inga",) if company == "while others are in it" else ("inga", "emil", "sven"):
            assert await scene.ask("DELETE", scene.place(name)) == "yes"
        outcomes[action] = await ACTS[act](scene)

    assert outcomes == {action: row[company] for action, row in LAST_ADMIN.items()}


@pytest.mark.parametrize("kind", ["self", "direct", "family"])
async def test_only_groups_change_their_people(app: RunningApp, people: dict[str, Person], kind: str) -> None:
    scene = Scene(app, people, getattr(app.talks, kind), people["maja"])
    actions = ("add somebody of the family", "remove a member", "leave", "make a member admin", "step down")

    assert {await ACTS[action](scene) for action in actions} == {"not_group_conversation"}


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def start(app: RunningApp, *command: str, group: str = "") -> asyncio.subprocess.Process:
    """Run an example as somebody who copied it from the page."""
    ids = {person.username.upper(): person.user_id for person in app.home.everybody}
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
        heard, errors = await listener.communicate()

    assert (heard, errors) == (b"I am in Fika\nI am out\n", b"")
