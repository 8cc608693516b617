from pathlib import Path
from typing import Any

import httpx
import pytest

from famichat.accounts.sign_in.login_throttle import FROM_ONE_ADDRESS
from famichat.telemetry.events import AuthorizationDenied, Event, RateLimitThrottled
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp, running_app
from tests.support.authenticator import Authenticator


@pytest.fixture
def key(app: RunningApp) -> Authenticator:
    return Authenticator(app.url.replace("127.0.0.1", "localhost"))


async def make(http: httpx.AsyncClient, key: Authenticator) -> dict[str, Any]:
    options = (
        (await http.post("/me/passkeys/options", json={"password": PASSWORD})).raise_for_status().json()["options"]
    )
    made = await http.post("/me/passkeys", json={"credential": key.create(options)})
    assert made.status_code == 201, made.text
    passkey: dict[str, Any] = made.json()
    return passkey


async def prove(http: httpx.AsyncClient, key: Authenticator, **more: Any) -> httpx.Response:
    options = (await http.post("/sessions/passkey/options")).raise_for_status().json()["options"]
    return await http.post("/sessions/passkey", json={"credential": key.get(options), **more})


async def test_a_passkey_is_registered_and_signs_in(app: RunningApp, key: Authenticator) -> None:
    async with app.http(app.home.maja) as http, app.http() as elsewhere:
        made = await make(http, key)
        session = await prove(elsewhere, key, device_name="Maja's phone", device_kind="phone")
        headers = {"authorization": f"Bearer {session.json()['access_token']}"}
        me = (await elsewhere.get("/me", headers=headers)).json()
        devices = (await elsewhere.get("/devices", headers=headers)).json()["devices"]
        listed = (await http.get("/me/passkeys")).json()["passkeys"]

    assert (session.status_code, me["username"]) == (201, "maja")
    assert [each["kind"] for each in devices if each["current"]] == ["phone"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert made["last_used_at"] is None
    assert listed[0]["last_used_at"] is not None
    assert made["name"]


async def test_an_assertion_works_once(app: RunningApp, key: Authenticator) -> None:
    key.counts = False
    async with app.http(app.home.maja) as http, app.http() as elsewhere:
        await make(http, key)
        proof = key.get((await elsewhere.post("/sessions/passkey/options")).json()["options"])
        answers = [await elsewhere.post("/sessions/passkey", json={"credential": proof}) for _ in range(2)]

    assert [each.status_code for each in answers] == [201, 401]


async def test_registering_a_passkey_requires_the_password(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http:
        refused = await http.post("/me/passkeys/options", json={"password": "not her password"})

    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")


async def test_password_attempts_here_count_towards_the_sign_in_limit(
    database_url: str, tmp_path: Path, emitted: list[Event]
) -> None:
    async with running_app(database_url, tmp_path, rate_limits="on") as app, app.http(app.home.maja) as http:
        for _ in range(FROM_ONE_ADDRESS.attempts):
            assert (await http.post("/me/passkeys/options", json={"password": "wrong"})).status_code == 401
        here = await http.post("/me/passkeys/options", json={"password": PASSWORD})
        at_the_door = await http.post("/sessions", json={"username": "maja", "password": PASSWORD})

    assert {(each.status_code, each.json()["code"]) for each in (here, at_the_door)} == {(429, "rate_limited")}
    assert [each.limit for each in emitted if isinstance(each, RateLimitThrottled)] == ["guesses", "guesses"]


async def test_every_failed_sign_in_gets_the_same_error(
    app: RunningApp, key: Authenticator, emitted: list[Event]
) -> None:
    async with app.http(app.home.maja) as http, app.http() as elsewhere:
        unknown = await prove(elsewhere, key)
        made = await make(http, key)
        key.origin = "http://evil.test"
        elsewhere_signed = await prove(elsewhere, key)
        key.origin = app.url.replace("127.0.0.1", "localhost")
        (await http.delete(f"/me/passkeys/{made['id']}")).raise_for_status()
        given_up = await prove(elsewhere, key)
        malformed = await elsewhere.post("/sessions/passkey", json={"credential": {"rawId": []}})

    answers = (unknown, elsewhere_signed, given_up, malformed)
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(401, "invalid_credentials")}
    assert len({each.text for each in answers}) == 1
    assert [each.user_id for each in emitted if isinstance(each, AuthorizationDenied)].count(app.home.maja.user_id) == 1


async def test_a_malformed_passkey_is_refused_with_its_own_code(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http:
        refused = await http.post("/me/passkeys", json={"credential": {}})

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_passkey")
