"""The affinity cookie: the same for a family, at each sign-in and refresh, if there can be several nodes."""

import re

from tests.factories.people import PASSWORD
from tests.support.app import RunningApp


async def test_the_members_of_a_family_get_the_same_cookie(app: RunningApp) -> None:
    cookies: list[str | None] = []
    async with app.http() as http:
        for name in ("maja", "emil"):
            answer = await http.post("/sessions", json={"username": name, "password": PASSWORD})
            cookies.append(answer.headers.get("set-cookie"))
        token = answer.raise_for_status().json()["refresh_token"]
        answer = await http.post("/sessions/refresh", json={"refresh_token": token})
        cookies.append(answer.headers.get("set-cookie"))

    if app.settings.effective_database_url.startswith("sqlite"):
        assert cookies == [None] * 3
        return
    assert len({*cookies}) == 1
    parts = str(cookies[0]).split("; ")
    assert re.fullmatch("famichat_affinity=[0-9a-f]{2}", parts[0])
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {*parts}


async def test_a_user_without_a_family_gets_no_cookie(app: RunningApp) -> None:
    async with app.http(app.home.ada) as http:
        for family in (await http.get("/families")).json()["families"]:
            await http.delete(f"/families/{family['id']}/members/{app.home.ada.user_id}")
        answer = await http.post("/sessions", json={"username": "ada", "password": PASSWORD})

    assert answer.status_code == 201
    assert "set-cookie" not in answer.headers
