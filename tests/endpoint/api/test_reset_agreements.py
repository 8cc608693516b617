"""Two admins agree to reset the password of another admin. Its user receives each step, and can cancel."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from famichat.chat.families.membership import change_role
from famichat.chat.families.reset_agreement import SETTLED
from famichat.storage.base import now
from famichat.storage.database import Database
from tests.factories.people import Person
from tests.support.app import RunningApp, running_app
from tests.support.clock import Clock
from tests.support.push_service import push_service


def make_admins(app: RunningApp, database_url: str, clock: Clock) -> RunningApp:
    """Maja, Emil and Inga have been admins for a week."""
    home = app.home
    database = Database(database_url)
    for each in (home.emil, home.inga):
        database.run(
            partial(
                change_role, actor_id=home.maja.user_id, family_id=home.family_id, user_id=each.user_id, role="admin"
            )
        )
    database.close()
    clock.jump(SETTLED + timedelta(seconds=1))
    return app


@pytest.fixture
def admins(app: RunningApp, database_url: str, clock: Clock) -> RunningApp:
    """Maja, Emil and Inga, who can reset each other's passwords."""
    return make_admins(app, database_url, clock)


async def call(app: RunningApp, method: str, actor: Person, rest: str) -> httpx.Response:
    path = f"/families/{app.home.family_id}/members/{app.home.inga.user_id}/{rest}"
    async with app.http(actor) as http:
        return await http.request(method, path)


async def actions(app: RunningApp, person: Person) -> list[tuple[str, str]]:
    async with app.http(person) as http:
        entries = (await http.get("/me/ledger")).json()["entries"]
    return [(each["action"], each["by_name"]) for each in entries if each["action"].startswith("reset_")]


async def test_two_admins_reset_a_third_whose_devices_are_told_of_each_step(admins: RunningApp) -> None:
    home = admins.home
    topics = {each.user_id: f"user:{each.user_id}" for each in (home.maja, home.emil, home.inga)}
    topic = topics[home.inga.user_id]
    async with (
        admins.connect(home.inga) as inga,
        admins.connect(home.emil) as emil,
        admins.connect(home.maja) as maja,
    ):
        for socket, person in ((inga, home.inga), (emil, home.emil), (maja, home.maja)):
            await socket.join(topics[person.user_id])
        asked = (await call(admins, "PUT", home.maja, "reset-agreement")).json()
        told = [
            (await inga.assert_broadcast(topic, "reset_agreement_updated")).payload,
            (await emil.assert_broadcast(topics[home.emil.user_id], "reset_agreement_updated")).payload,
        ]
        agreed = (await call(admins, "PUT", home.emil, "reset-agreement/consent")).json()
        told.append((await inga.assert_broadcast(topic, "reset_agreement_updated")).payload)
        await maja.assert_broadcast(topics[home.maja.user_id], "reset_agreement_updated")
        told.append((await maja.assert_broadcast(topics[home.maja.user_id], "reset_agreement_updated")).payload)
        link = (await call(admins, "PUT", home.maja, "reset-link")).json()
        announced = (await inga.assert_broadcast(topic, "reset_link_created")).payload

    subject = {"family_id": home.family_id, "user_id": home.inga.user_id}
    assert asked == {
        **subject,
        "asked_by_id": home.maja.user_id,
        "agreed_by_id": None,
        "expires_at": asked["expires_at"],
    }
    assert agreed["agreed_by_id"] == home.emil.user_id
    assert told == [{**subject, "agreement": each} for each in (asked, asked, agreed, agreed)]
    assert announced == {"by_name": "maja", "expires_at": link["expires_at"]}
    assert await actions(admins, home.inga) == [
        ("reset_link_created", "maja"),
        ("reset_agreed", "emil"),
        ("reset_requested", "maja"),
    ]


async def test_a_device_that_connects_later_is_told_and_the_user_cancels_there(admins: RunningApp) -> None:
    home, topic = admins.home, f"user:{admins.home.maja.user_id}"
    async with admins.connect(home.inga) as inga:
        before = await inga.join(f"user:{home.inga.user_id}")
    asked = (await call(admins, "PUT", home.maja, "reset-agreement")).json()
    async with admins.connect(home.maja) as maja, admins.connect(home.inga) as inga, admins.http(home.inga) as http:
        await maja.join(topic)
        joined = await inga.join(f"user:{home.inga.user_id}")
        cancelled = [(await http.delete("/me/password-reset")).status_code for _ in range(2)]
        told = [
            (await socket.assert_broadcast(f"user:{each.user_id}", "reset_agreement_updated")).payload["agreement"]
            for socket, each in ((maja, home.maja), (inga, home.inga))
        ]
    consent = await call(admins, "PUT", home.emil, "reset-agreement/consent")

    assert ("reset_agreement" in before, joined["reset_agreement"]) == (False, asked)
    assert (cancelled, told) == ([204, 204], [None, None])
    assert (consent.status_code, consent.json()["code"]) == (409, "no_reset_agreement")
    assert await actions(admins, home.maja) == [("reset_cancelled", "inga")]


async def test_push_notifications_go_to_the_user_and_to_the_admin_who_has_to_act(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    async with push_service() as service, running_app(database_url, tmp_path, push_private_addresses=True) as app:
        admins = make_admins(app, database_url, clock)
        home = admins.home
        browsers = {each.username: service.browser(each.username) for each in (home.maja, home.emil, home.inga)}
        for each in (home.maja, home.emil, home.inga):
            async with admins.http(each) as http:
                await http.put("/me/push", json=browsers[each.username].subscription())
        hours = [f"{now() + timedelta(hours=each):%H:%M}" for each in (-1, 1)]
        quiet = {"quiet_hours": {"from": hours[0], "until": hours[1], "time_zone": "UTC"}}
        async with admins.http(home.emil) as emil, admins.http(home.inga) as inga:
            await inga.patch("/me/push", json=quiet)
            await call(admins, "PUT", home.maja, "reset-agreement")
            await service.rung(2)
            await emil.patch("/me/push", json=quiet)
            await call(admins, "PUT", home.maja, "reset-agreement")
            await service.rung(3)
        await call(admins, "PUT", home.emil, "reset-agreement/consent")
        await service.rung(5)
        await call(admins, "PUT", home.maja, "reset-link")
        await service.rung(6)

    names = [path.removeprefix("/") for path, *_ in service.requests]
    assert [sorted(names[:2]), names[2], sorted(names[3:5]), names[5:]] == [
        ["emil", "inga"],
        "inga",
        ["inga", "maja"],
        ["inga"],
    ]
    assert {headers["topic"] for _, headers, _ in service.requests} == {"password_reset"}
    assert all(
        browsers[name].read(body) == {"kind": "password_reset"}
        for name, (_, _, body) in zip(names, service.requests, strict=True)
    )


async def test_a_second_admin_refuses_and_the_list_shows_what_is_pending(admins: RunningApp) -> None:
    home = admins.home
    asked = (await call(admins, "PUT", home.maja, "reset-agreement")).json()
    early = await call(admins, "PUT", home.maja, "reset-link")
    async with admins.http(home.emil) as http:
        before = (await http.get(f"/families/{home.family_id}/reset-agreements")).json()
        refused = await call(admins, "DELETE", home.emil, "reset-agreement")
        after = (await http.get(f"/families/{home.family_id}/reset-agreements")).json()

    assert (early.status_code, early.json()["code"]) == (403, "needs_second_admin")
    assert (before, refused.status_code, after) == ({"agreements": [asked]}, 204, {"agreements": []})
    assert await actions(admins, home.maja) == [("reset_cancelled", "emil")]


async def test_a_member_cancels_the_link_of_an_admin(app: RunningApp) -> None:
    home = app.home
    async with app.http(home.maja) as maja, app.http(home.emil) as emil:
        path = f"/families/{home.family_id}/members/{home.emil.user_id}/reset-link"
        link = (await maja.put(path)).json()
        await emil.delete("/me/password-reset")
        used = await emil.put("/password-reset", json={"token": link["token"], "new_password": "correct horse battery"})

    assert used.json()["code"] == "invalid_reset_link"
    assert await actions(app, home.maja) == [("reset_cancelled", "emil")]
