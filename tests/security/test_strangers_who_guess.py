"""Password guessing, sessions and requests from other sites (S4, S6, S7)."""

import asyncio
import re
import shutil
from collections import Counter
from pathlib import Path

import httpx

from famichat.accounts.sign_in.login_throttle import FROM_ANYWHERE
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp, running_app

ADDRESSES = [f"127.0.0.{number}" for number in range(10, 60)]
SECONDS = 1.0


async def guess(app: RunningApp, address: str, times: int) -> list[int]:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with httpx.AsyncClient(base_url=app.url, transport=transport, timeout=60) as stranger:
        wrong = {"username": "maja", "password": "a wrong password"}
        return [(await stranger.post("/api/v1/sessions", json=wrong)).status_code for _ in range(times)]


async def test_fifty_addresses_allow_no_more_attempts_and_lock_no_one_out(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    sqlite = f"sqlite:///{tmp_path / 'famichat.db'}"
    async with running_app(sqlite, tmp_path, rate_limits="on") as app, app.http() as http:
        mine = (await http.post("/sessions", json={"username": "maja", "password": PASSWORD})).json()
        async with app.connect(app.home.maja) as socket:
            answers = await asyncio.gather(*(guess(app, address, 3) for address in ADDRESSES))
            renewed = await http.post("/sessions/refresh", json={"refresh_token": mine["refresh_token"]})
            bearer = {"authorization": f"Bearer {renewed.json()['access_token']}"}
            me = await http.get("/me", headers=bearer)
            await socket.heartbeat()
        emil = await http.post("/sessions", json={"username": "emil", "password": PASSWORD})

    counted = Counter(status for each in answers for status in each)
    assert counted[401] <= FROM_ANYWHERE.attempts
    assert counted[401] + counted[429] == 3 * len(ADDRESSES)
    assert (renewed.status_code, me.status_code) == (200, 200), "her own device goes on"
    assert emil.status_code == 201, "and nobody else is concerned"


async def test_each_sign_in_has_a_session_of_its_own_and_no_cookie_carries_it(app: RunningApp) -> None:
    maja = {"username": "maja", "password": PASSWORD}
    async with app.http() as http:
        planted = (await http.post("/sessions", json=maja)).json()
        fixed = {"authorization": f"Bearer {planted['access_token']}", "cookie": f"session={planted['refresh_token']}"}
        answer = await http.post("/sessions", json=maja, headers=fixed)
        pages = [await http.get(f"{app.url}{path}") for path in ("/", "/events", "/api/docs")]
    fresh = answer.json()

    for part in ("device_id", "access_token", "refresh_token"):
        assert fresh[part] != planted[part], "who planted a session does not share it"
    assert not any("set-cookie" in each.headers for each in pages)
    cookies = answer.headers.get_list("set-cookie")  # with several nodes, one that says which node a family prefers
    assert all(re.match("famichat_affinity=[0-9a-f]{2};", each) for each in cookies)


async def test_a_page_of_another_site_changes_nothing(app: RunningApp) -> None:
    """Browsers attach no credentials automatically, so a cross-site request is anonymous (S5)."""
    evil = {"origin": "https://evil.example", "cookie": "session=1", "content-type": "text/plain"}
    path = f"/conversations/{app.talks.group}"
    async with app.http() as elsewhere, app.http(app.home.maja) as maja:
        posted = await elsewhere.post(f"{path}/messages", content='{"body": "x"}', headers=evil)
        form = {"origin": "https://evil.example"}
        refused = [
            posted,
            await elsewhere.post(f"{path}/messages", data={"body": "x"}, headers=form),
            await elsewhere.request("PATCH", path, content="{}", headers=evil),
            await elsewhere.get(f"{path}/members?user_id=1", headers=evil),
        ]
        preflight = await elsewhere.options(
            f"{path}/messages", headers=form | {"access-control-request-method": "POST"}
        )
        as_text = await maja.post(
            f"{path}/messages", content='{"body": "x"}', headers={"content-type": "text/plain", **form}
        )
        sent = (await maja.get(f"{path}/messages")).json()["messages"]

    assert {each.status_code for each in refused} <= {401, 404, 405}
    assert not any("access-control" in name for each in (*refused, preflight) for name in each.headers)
    assert as_text.status_code == 422, "a body that a form can send is no JSON"
    assert sent == []
