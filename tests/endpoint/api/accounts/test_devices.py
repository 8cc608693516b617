import asyncio

import pytest

from famichat.storage.base import new_id
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp
from tests.support.channel_client import ChannelClient


async def test_users_list_their_own_devices(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http:
        await http.post("/sessions", json={"username": "maja", "password": PASSWORD, "device_name": "tablet"})
        devices = (await http.get("/devices")).json()["devices"]

    assert [(each["name"], each["current"]) for each in devices] == [("maja's phone", True), ("tablet", False)]
    assert all(each["created_at"].endswith("Z") and each["last_seen_at"].endswith("Z") for each in devices)


async def test_revoking_a_device_closes_its_socket_and_ends_its_tokens(app: RunningApp) -> None:
    maja = app.home.maja
    async with app.http(maja) as http:
        signed_in = await http.post("/sessions", json={"username": "maja", "password": PASSWORD})
        tablet = signed_in.json()
        async with ChannelClient.connect(f"{app.url}/socket", token=tablet["access_token"]) as client:
            await client.join(f"message:self:{app.talks.self}")
            answer = await http.delete(f"/devices/{tablet['device_id']}")

            assert answer.status_code == 204
            await asyncio.wait_for(client.websocket.wait_closed(), 5)
            assert client.websocket.close_code != 1000, "a client that is closed normally does not try again"
        headers = {"authorization": f"Bearer {tablet['access_token']}"}
        assert (await http.get("/me", headers=headers)).status_code == 401
        refreshed = await http.post("/sessions/refresh", json={"refresh_token": tablet["refresh_token"]})
        assert refreshed.status_code == 401
        assert (await http.get("/me")).status_code == 200


@pytest.mark.parametrize("whose", ["another's", "nobody's", "malformed"])
async def test_a_device_of_another_user_is_not_found(app: RunningApp, whose: str) -> None:
    ids = {"another's": app.home.emil.device_id, "nobody's": new_id(), "malformed": "nonsense"}
    async with app.http(app.home.maja) as http:
        answer = await http.delete(f"/devices/{ids[whose]}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    async with app.http(app.home.emil) as http:
        assert (await http.get("/me")).status_code == 200
