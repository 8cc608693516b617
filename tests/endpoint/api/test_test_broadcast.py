"""The test broadcast endpoint (story 7.4.2): exactly one broadcast on success, none on failure."""

from typing import Any

import pytest

from famichat.storage.base import new_id
from tests.support.app import RunningApp


def request(app: RunningApp, **changes: Any) -> dict[str, Any]:
    return {"conversation_type": "direct", "conversation_id": app.talks.direct, "body": "ding", **changes}


async def test_one_request_is_one_broadcast_to_all_subscribers(app: RunningApp) -> None:
    topic = f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil, app.http(app.home.maja) as http:
        await maja.join(topic)
        await emil.join(topic)

        answer = await http.post(
            "/test/broadcast", json=request(app, encryption_flag=True, version_tag="v1.0.0", key_id="KEY_FAMILY_v1")
        )

        assert answer.status_code == 200, answer.text
        assert (answer.json()["topic"], answer.json()["event"], answer.json()["seq"]) == (topic, "new_msg", 1)
        received = (await emil.assert_broadcast(topic, "new_msg", {"body": "ding"})).payload
        assert (received["encryption_flag"], received["encryption_version"], received["key_id"]) == (
            True,
            "v1.0.0",
            "KEY_FAMILY_v1",
        )
        await maja.assert_broadcast(topic, "new_msg", {"body": "ding"})
        await emil.refute_broadcast(topic, "new_msg")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"conversation_id": new_id()}, 404, "not_found"),
        ({"conversation_id": "x"}, 404, "not_found"),
        ({"conversation_type": "group"}, 404, "not_found"),
        ({"conversation_type": "secret"}, 404, "not_found"),
        ({"body": ""}, 422, "invalid_message"),
        ({"body": "x" * 65537}, 413, "message_too_large"),
        ({"encryption_flag": True}, 422, "invalid_encryption_metadata"),
        ({"encryption_flag": "no"}, 422, "invalid_request"),
        ({"surprise": 1}, 422, "invalid_request"),
    ],
)
async def test_a_refused_request_broadcasts_nothing(
    app: RunningApp, changes: dict[str, Any], status: int, code: str
) -> None:
    topic = f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.emil) as emil, app.http(app.home.maja) as http:
        await emil.join(topic)

        answer = await http.post("/test/broadcast", json=request(app, **changes))

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        await emil.refute_broadcast(topic, "new_msg")


async def test_an_outsider_and_a_request_without_a_token_cause_no_broadcast(app: RunningApp) -> None:
    topic = f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.emil) as emil, app.http(app.home.ada) as ada, app.http() as no_one:
        await emil.join(topic)

        assert (await ada.post("/test/broadcast", json=request(app))).status_code == 404
        refused = await no_one.post("/test/broadcast", json=request(app))

        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert refused.headers["www-authenticate"] == "Bearer"
        await emil.refute_broadcast(topic, "new_msg")
