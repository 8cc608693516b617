"""The affinity cookie: the same for a family, at each sign-in and refresh, if there can be several nodes."""

import re

from famichat.storage.database import Database
from tests.factories.people import PASSWORD, person
from tests.support.app import RunningApp


async def test_the_members_of_a_family_get_the_same_cookie(app: RunningApp) -> None:
    async with app.http() as http:
        answers = [
            await http.post("/sessions", json={"username": name, "password": PASSWORD}) for name in ("maja", "emil")
        ]
        token = answers[0].raise_for_status().json()["refresh_token"]
        answers.append(await http.post("/sessions/refresh", json={"refresh_token": token}))
    cookies = [answer.headers.get("set-cookie") for answer in answers]

    if app.settings.effective_database_url.startswith("sqlite"):
        assert cookies == [None] * 3
        return
    assert len({*cookies}) == 1
    parts = str(cookies[0]).split("; ")
    assert re.fullmatch("famichat_affinity=[0-9a-f]{2}", parts[0])
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {*parts}


async def test_a_user_without_a_family_gets_no_cookie(app: RunningApp) -> None:
    database = Database(app.settings.effective_database_url)
    await database.transaction(lambda session: person(session, "nora"))
    database.close()
    async with app.http() as http:
        answer = await http.post("/sessions", json={"username": "nora", "password": PASSWORD})

    assert answer.status_code == 201
    assert "set-cookie" not in answer.headers
