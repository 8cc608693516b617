"""Key shares and key requests over HTTP, and their events."""

from functools import partial

from sqlalchemy.orm import Session

from famichat.storage.database import Database
from famichat.telemetry.events import Event, KeyShareSent
from tests.support.app import RunningApp
from tests.support.mls import published


def publish_keys(app: RunningApp, session: Session) -> None:
    for who in (app.home.maja, app.home.emil):
        published(session, who)


async def test_a_participant_answers_a_key_request(app: RunningApp, emitted: list[Event]) -> None:
    home, conversation_id = app.home, app.talks.direct
    database = Database(app.settings.effective_database_url)
    database.run(partial(publish_keys, app))
    database.close()
    async with app.connect(home.maja) as maja, app.connect(home.emil) as emil:
        await maja.join(f"user:{home.maja.user_id}")
        await emil.join(f"user:{home.emil.user_id}")
        async with app.http(home.emil) as http:
            asked = await http.post("/me/key-requests", json={"conversation_id": conversation_id})
        told = (await maja.assert_broadcast(f"user:{home.maja.user_id}", "key_request")).payload
        async with app.http(home.maja) as http:
            [request] = (await http.get("/key-requests")).json()["key_requests"]
            answer = {
                "to_device_id": request["device_id"],
                "conversation_id": conversation_id,
                "ciphertext": "c2VjcmV0",
            }
            sent = await http.post("/key-shares", json=answer)
            left = (await http.get("/key-requests")).json()["key_requests"]
        waiting = (await emil.assert_broadcast(f"user:{home.emil.user_id}", "key_share")).payload
        async with app.http(home.emil) as http:
            [share] = (await http.get("/me/key-shares")).json()["key_shares"]
            confirmed = await http.delete(f"/me/key-shares/{share['id']}")
            after = (await http.get("/me/key-shares")).json()

    assert (asked.status_code, sent.status_code, confirmed.status_code) == (201, 201, 204)
    assert told == {
        "id": request["id"],
        "user_id": home.emil.user_id,
        "device_id": home.emil.device_id,
        "conversation_id": conversation_id,
    }
    assert left == []
    assert waiting == {"conversation_id": conversation_id}
    assert (share["id"], share["from_user_id"], share["ciphertext"]) == (
        sent.json()["id"],
        home.maja.user_id,
        "c2VjcmV0",
    )
    assert after == {"key_shares": []}
    assert [each.own for each in emitted if isinstance(each, KeyShareSent)] == [False]
