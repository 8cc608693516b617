"""Links with which a user who forgot the password sets a new one."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from famichat.accounts.sign_in.reset import RESET_LIFE
from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp
from tests.support.clock import Clock
from tests.support.operator import Operator

NEW = "correct horse battery"


async def create(app: RunningApp, admin: Person, member: Person) -> httpx.Response:
    async with app.http(admin) as http:
        return await http.put(f"/families/{app.home.family_id}/members/{member.user_id}/reset-link")


async def use(app: RunningApp, token: str, password: str = NEW) -> httpx.Response:
    async with app.http() as http:
        return await http.put("/password-reset", json={"token": token, "new_password": password})


async def signs_in(app: RunningApp, name: str, password: str) -> bool:
    async with app.http() as http:
        return (await http.post("/sessions", json={"username": name, "password": password})).is_success


async def history(app: RunningApp, person: Person, path: str) -> list[dict[str, Any]]:
    async with app.http(person) as http:
        entries: list[dict[str, Any]] = (await http.get(path)).json()["entries"]
        return entries


async def test_a_member_sets_a_new_password_with_a_link_of_an_admin(app: RunningApp) -> None:
    maja, emil = app.home.maja, app.home.emil
    topic = f"user:{emil.user_id}"
    async with app.connect(emil) as socket:
        await socket.join(topic)
        link = (await create(app, maja, emil)).json()
        announced = await socket.assert_broadcast(topic, "reset_link_created")
        (entry,) = await history(app, emil, "/me/ledger")
        used = await use(app, link["token"])
        await socket.closed()

    assert announced.payload == {"by_name": "maja", "expires_at": link["expires_at"]}
    assert (entry["action"], entry["by_name"]) == ("reset_link_created", "maja")
    assert (await history(app, maja, f"/families/{app.home.family_id}/ledger"))[0]["action"] == "reset_link_created"
    assert link["url"].endswith(f"/reset#{link['token']}")
    assert used.json() == {"username": "emil"}
    assert await signs_in(app, "emil", NEW)
    assert not await signs_in(app, "emil", PASSWORD)


async def test_a_link_works_once_for_an_hour_and_until_the_next_one(app: RunningApp, clock: Clock) -> None:
    first = (await create(app, app.home.maja, app.home.emil)).json()["token"]
    second = (await create(app, app.home.maja, app.home.emil)).json()["token"]
    weak = await use(app, second, "password")
    answers = [await use(app, token) for token in (first, second, second)]
    late = (await create(app, app.home.maja, app.home.inga)).json()["token"]
    clock.jump(RESET_LIFE + timedelta(seconds=1))
    answers.append(await use(app, late))

    assert weak.json()["code"] == "weak_password"
    assert [each.status_code for each in answers] == [404, 200, 404, 404]
    assert answers[-1].json()["code"] == "invalid_reset_link"


async def test_an_admin_cannot_take_over_another_admin_or_another_family(app: RunningApp) -> None:
    home = app.home
    async with app.http(home.maja) as http:
        inga = f"/families/{home.family_id}/members/{home.inga.user_id}"
        await http.put(inga, json={"role": "admin"})
        refused = [await create(app, home.maja, home.inga)]  # an admin
        await http.put(inga, json={"role": "member"})
    refused += [
        await create(app, home.maja, home.inga),  # an admin a moment ago
        await create(app, home.maja, home.maja),
        await create(app, home.emil, home.nils),  # by a member
        await create(app, home.ada, home.emil),  # by a stranger
    ]
    await asyncio.to_thread(Operator(app.settings.data_dir), "family", "add", "Berg", "--admin", "nils")
    refused.append(await create(app, home.maja, home.nils))  # an admin of another family

    assert [each.json()["code"] for each in refused] == [
        "needs_operator",
        "needs_operator",
        "own_account",
        "not_admin",
        "not_found",
        "needs_operator",
    ]


@pytest.mark.parametrize("name", ["maja", "emil"])
async def test_the_operator_creates_a_link_for_anyone(app: RunningApp, name: str) -> None:
    person: Person = getattr(app.home, name)
    async with app.connect(person) as socket:
        await socket.join(f"user:{person.user_id}")
        created = await asyncio.to_thread(Operator(app.settings.data_dir), "user", "reset-link", name)
        announced = await socket.assert_broadcast(f"user:{person.user_id}", "reset_link_created")

    (entry,) = await history(app, person, "/me/ledger")
    assert (entry["action"], entry["by_id"], announced.payload["by_name"]) == ("reset_link_created", None, None)
    assert (await use(app, created["url"].partition("#")[2])).json() == {"username": name}
