"""The audit log over HTTP: users read the admin actions that affect them."""

from typing import Any

import pytest

from famichat.storage.base import new_id
from tests.factories.people import Person
from tests.support.app import RunningApp


async def ledger(app: RunningApp, who: Person, **asked: str | int) -> list[dict[str, Any]]:
    async with app.http(who) as http:
        answer = await http.get("/me/ledger", params=asked)
    assert answer.status_code == 200
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


def summary(entries: list[dict[str, Any]]) -> list[tuple[str, str, str | None, str | None]]:
    return [(each["action"], each["by_name"], each["name"], each["role"]) for each in entries]


async def test_members_read_the_actions_of_a_group_admin(app: RunningApp) -> None:
    home, members = app.home, f"/conversations/{app.talks.group}/members"
    async with app.http(home.maja) as maja:
        for role in ("admin", "admin", "member"):
            await maja.put(f"{members}/{home.emil.user_id}/role", json={"role": role})
        await maja.patch(f"/conversations/{app.talks.group}", json={"name": "Fika"})
        assert (await maja.delete(f"{members}/{home.emil.user_id}")).status_code == 204

    entries = await ledger(app, home.emil)
    assert summary(entries) == [
        ("group_member_removed", "maja", "Fika", None),
        ("group_role_changed", "maja", "Holiday", "member"),
        ("group_role_changed", "maja", "Holiday", "admin"),
    ]
    assert {each["conversation_id"] for each in entries} == {app.talks.group}
    assert {each["by_id"] for each in entries} == {home.maja.user_id}
    assert list(entries[0]) == [
        *("id", "action", "by_id", "by_name", "name", "role"),
        *("family_id", "conversation_id", "message_id", "device_id", "inserted_at"),
    ]
    assert entries[0]["inserted_at"].endswith("Z")


async def test_members_read_the_actions_of_a_family_admin(app: RunningApp) -> None:
    home, members = app.home, f"/families/{app.home.family_id}/members"
    async with app.http(home.maja) as maja:
        for role in ("member", "admin", "member"):
            await maja.put(f"{members}/{home.emil.user_id}", json={"role": role})
        assert (await maja.delete(f"{members}/{home.emil.user_id}")).status_code == 204

    entries = await ledger(app, home.emil)
    assert summary(entries) == [
        ("group_member_removed", "maja", "Holiday", None),
        ("family_member_removed", "maja", "Sundqvist", None),
        ("family_role_changed", "maja", "Sundqvist", "member"),
        ("family_role_changed", "maja", "Sundqvist", "admin"),
    ]
    assert [each["family_id"] for each in entries] == [None, *[home.family_id] * 3]


async def test_an_entry_about_an_inherited_group_names_the_admin_who_caused_it(app: RunningApp) -> None:
    home = app.home
    async with app.http(home.maja) as maja, app.http(home.inga) as inga:
        await maja.put(f"/families/{home.family_id}/members/{home.inga.user_id}", json={"role": "admin"})
        await inga.delete(f"/families/{home.family_id}/members/{home.maja.user_id}")

    assert summary(await ledger(app, home.emil)) == [("group_role_changed", "inga", "Holiday", "admin")]


async def test_actions_of_a_user_are_not_in_the_history_of_that_user(app: RunningApp) -> None:
    home, members = app.home, f"/conversations/{app.talks.group}/members"
    async with app.http(home.maja) as maja, app.http(home.emil) as emil:
        await maja.put(f"{members}/{home.emil.user_id}/role", json={"role": "admin"})
        await maja.put(f"{members}/{home.maja.user_id}/role", json={"role": "member"})
        await maja.delete(f"{members}/{home.maja.user_id}")
        await emil.delete(f"{members}/{home.inga.user_id}")

    assert await ledger(app, home.maja) == []
    assert summary(await ledger(app, home.emil)) == [("group_role_changed", "maja", "Holiday", "admin")]


async def test_a_refused_action_leaves_no_entry(app: RunningApp) -> None:
    home, members = app.home, f"/conversations/{app.talks.group}/members"
    async with app.http(home.emil) as emil:
        await emil.delete(f"{members}/{home.inga.user_id}")
        await emil.delete(f"/families/{home.family_id}/members/{home.inga.user_id}")

    assert await ledger(app, home.inga) == []


async def test_a_long_audit_log_is_paginated(app: RunningApp) -> None:
    home, role = app.home, f"/conversations/{app.talks.group}/members/{app.home.emil.user_id}/role"
    async with app.http(home.maja) as maja, app.http(home.emil) as emil:
        for _ in range(2):
            await maja.put(role, json={"role": "admin"})
            await maja.put(role, json={"role": "member"})
        first = (await emil.get("/me/ledger", params={"limit": 3})).json()
        rest = (await emil.get("/me/ledger", params={"limit": 3, "before": first["entries"][-1]["id"]})).json()

    assert (len(first["entries"]), first["has_more"]) == (3, True)
    assert (len(rest["entries"]), rest["has_more"]) == (1, False)
    assert len({each["id"] for each in first["entries"] + rest["entries"]}) == 4


@pytest.mark.parametrize("asked", [{"before": "x"}, {"before": new_id().upper()}, {"limit": "0"}, {"limit": "x"}])
async def test_an_invalid_page_is_refused(app: RunningApp, asked: dict[str, str]) -> None:
    async with app.http(app.home.emil) as emil:
        answer = await emil.get("/me/ledger", params=asked)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
