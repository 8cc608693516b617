"""Changing one's own password over HTTP."""

import pytest

from tests.factories.people import PASSWORD
from tests.support.app import RunningApp

NEW = "correct horse battery"


async def test_a_changed_password_replaces_the_old_one_and_keeps_the_devices(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http, app.http() as anonymous, app.connect(app.home.maja) as socket:
        other = (await anonymous.post("/sessions", json={"username": "maja", "password": PASSWORD})).json()
        changed = await http.put("/me/password", json={"current_password": PASSWORD, "new_password": NEW})
        old = await anonymous.post("/sessions", json={"username": "maja", "password": PASSWORD})
        new = await anonymous.post("/sessions", json={"username": "maja", "password": NEW})
        refreshed = await anonymous.post("/sessions/refresh", json={"refresh_token": other["refresh_token"]})
        await socket.join(f"message:self:{app.talks.self}")

    assert [each.status_code for each in (changed, old, new, refreshed)] == [204, 401, 201, 200]


async def test_the_other_devices_are_signed_out_on_request(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http, app.http() as anonymous:
        other = (await anonymous.post("/sessions", json={"username": "maja", "password": PASSWORD})).json()
        change = {"current_password": PASSWORD, "new_password": NEW, "sign_out_other_devices": True}
        async with app.connect(app.home.maja) as own:
            assert (await http.put("/me/password", json=change)).status_code == 204
            refreshed = await anonymous.post("/sessions/refresh", json={"refresh_token": other["refresh_token"]})
            devices = (await http.get("/devices")).json()["devices"]
            await own.join(f"message:self:{app.talks.self}")

    assert refreshed.status_code == 401
    assert [each["current"] for each in devices] == [True]


@pytest.mark.parametrize(
    ("current", "new", "code"),
    [("not the password", NEW, "invalid_credentials"), (PASSWORD, "password", "weak_password")],
)
async def test_a_refused_change_changes_nothing(app: RunningApp, current: str, new: str, code: str) -> None:
    async with app.http(app.home.maja) as http:
        refused = await http.put("/me/password", json={"current_password": current, "new_password": new})
        again = await http.post("/sessions", json={"username": "maja", "password": PASSWORD})

    assert (refused.json()["code"], again.status_code) == (code, 201)
