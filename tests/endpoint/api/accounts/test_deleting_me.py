"""Account deletion over HTTP: permission, closed connections and broadcasts."""

import asyncio
import random
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from websockets.exceptions import InvalidStatus

from famichat.accounts.device import Device
from famichat.accounts.sign_in.passkey import Passkey
from famichat.accounts.user import User
from famichat.chat import account_deletion
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant
from famichat.push.preferences import StoredPushPreferences
from famichat.push.subscription import PushSubscription
from famichat.storage.base import rfc3339
from famichat.storage.database import Database
from famichat.telemetry.events import AccountDeleted, Event, FamilyMemberRemoved, GroupMemberRemoved
from tests.factories.people import PASSWORD, Person, join, person
from tests.support.app import RunningApp, running_app, served
from tests.support.channel_client import ChannelClient, Frame
from tests.support.poller import Poller

ROUNDS = 8
BROWSER = {
    "endpoint": "https://push.example.org/a",
    "keys": {
        # The browser's keys in RFC 8291, appendix A.
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}


async def delete(http: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    return await http.request("DELETE", "/me", json={"password": password})


def topics(app: RunningApp) -> dict[str, str]:
    """The conversations that Emil shares with others."""
    return {kind: f"message:{kind}:{getattr(app.talks, kind)}" for kind in ("direct", "group", "family")}


async def test_all_connections_end_and_the_deletion_is_announced(app: RunningApp, emitted: list[Event]) -> None:
    home, emil = app.home, app.home.emil
    async with (
        app.http(emil) as http,
        app.http(home.maja) as maja,
        app.connect(emil) as socket,
        app.connect(home.maja) as witness,
        Poller(app.url, app.token(emil)) as poller,
    ):
        own = [f"user:{emil.user_id}", *topics(app).values()]
        for topic in own:
            await socket.join(topic)
            await poller.ask(topic, "phx_join")
        await witness.join(f"user:{home.maja.user_id}")
        await witness.join(topics(app)["group"])

        assert (await delete(http)).status_code == 204

        assert await socket.closed() == 1001
        closed = [each.topic for each in socket.received if each.event == "phx_close"]
        assert sorted(closed) == sorted(own)
        _, polled = await poller.poll()
        assert polled == 403
        reported = [
            (await witness.assert_broadcast(f"user:{home.maja.user_id}", "conversation_updated")) for _ in range(3)
        ]
        views = {each.payload["conversation"]["type"]: each.payload["conversation"] for each in reported}
        assert set(views) == {"direct", "group", "family"}
        for view in views.values():
            assert emil.user_id not in {member["user_id"] for member in view["members"]}
        assert [member["user_id"] for member in views["direct"]["members"]] == [home.maja.user_id]
        removed: set[str] = set()
        while emil.user_id not in removed:
            removed |= set((await witness.assert_broadcast(topics(app)["group"], "presence_diff")).payload["leaves"])
        people = (await maja.get(f"/families/{home.family_id}/members")).json()["members"]
        assert emil.user_id not in {each["user_id"] for each in people}

    kinds = (AccountDeleted, GroupMemberRemoved, FamilyMemberRemoved)
    assert [each for each in emitted if isinstance(each, kinds)] == [
        GroupMemberRemoved(conversation_id=app.talks.group, user_id=emil.user_id, removed_by_id=emil.user_id),
        FamilyMemberRemoved(family_id=home.family_id, user_id=emil.user_id, removed_by_id=emil.user_id),
        AccountDeleted(user_id=emil.user_id),
    ]


async def test_a_deleted_account_cannot_sign_in(app: RunningApp) -> None:
    signing_in = {"username": "emil", "password": PASSWORD}
    async with app.http(app.home.emil) as emil, app.http() as http:
        session = (await http.post("/sessions", json=signing_in)).json()
        assert (await delete(emil)).status_code == 204

        answers = [
            await emil.get("/me"),
            await http.get("/me", headers={"authorization": f"Bearer {session['access_token']}"}),
            await http.post("/sessions/refresh", json={"refresh_token": session["refresh_token"]}),
            await http.post("/sessions", json=signing_in),
            await delete(emil),
        ]
        with pytest.raises(InvalidStatus) as refused:
            await ChannelClient.connect(f"{app.url}/socket", token=session["access_token"]).__aenter__()

    assert [each.status_code for each in answers] == [401] * 5
    assert [each.json()["code"] for each in answers] == [
        *["invalid_token"] * 3,
        "invalid_credentials",
        "invalid_token",
    ]
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("body", [{"password": "wrong"}, {"password": ""}, {}, {"password": PASSWORD, "user_id": "x"}])
async def test_without_the_password_nothing_is_deleted(app: RunningApp, body: dict[str, str]) -> None:
    async with app.http(app.home.emil) as emil:
        answer = await emil.request("DELETE", "/me", json=body)
        still = await emil.get("/me")

    assert answer.json()["code"] == ("invalid_credentials" if list(body) == ["password"] else "invalid_request")
    assert still.json()["username"] == "emil"


async def test_the_password_that_counts_is_the_callers_own(app: RunningApp, database_url: str) -> None:
    database = Database(database_url)
    await database.transaction(lambda s: setattr(s.get_one(User, app.home.emil.user_id), "password_hash", "of emil"))
    database.close()
    async with app.http(app.home.emil) as emil:
        assert (await delete(emil)).json()["code"] == "invalid_credentials"
        assert (await emil.get("/me")).is_success


async def test_password_attempts_for_deletion_are_limited(database_url: str, tmp_path: Path) -> None:
    async with running_app(database_url, tmp_path, rate_limits="on") as app, app.http(app.home.emil) as emil:
        answers = [await delete(emil, f"guess {n}") for n in range(11)]
        right = await delete(emil)

    assert [each.status_code for each in answers] == [401] * 10 + [429]
    assert (right.status_code, right.json()["code"]) == (429, "rate_limited")


async def test_the_last_admin_is_refused_as_often_as_it_is_tried(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        answers = [await delete(maja) for _ in range(12)]
        still = await maja.get("/me")

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(409, "last_admin")}
    assert still.is_success


async def test_messages_stay_readable_for_the_other_member(app: RunningApp) -> None:
    home, direct = app.home, f"/conversations/{app.talks.direct}"
    async with app.http(home.emil) as emil, app.http(home.maja) as maja:
        await emil.post(f"{direct}/messages", json={"body": "so long"})
        await delete(emil)

        [message] = (await maja.get(f"{direct}/messages")).json()["messages"]
        listed = (await maja.get("/conversations")).json()["conversations"]
        hidden = await maja.put(f"{direct}/hidden")
        again = await maja.post("/conversations/direct", json={"user_id": home.emil.user_id})

    assert (message["user_id"], message["body"]) == (home.emil.user_id, "so long")
    assert app.talks.direct in {each["id"] for each in listed}
    assert hidden.json()["hidden"]
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


async def test_a_deleted_user_receives_nothing_while_others_send(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    guests = database.run(lambda session: [person(session, f"guest{number}") for number in range(ROUNDS)])
    pause = random.Random(7)  # noqa: S311 - it decides about pauses
    async with running_app(database_url, tmp_path) as app, app.connect(app.home.inga) as inga:
        await database.transaction(lambda session: let_in(session, app.home.family_id, guests))
        topic = topics(app)["family"]
        await inga.join(topic)
        talkers = [asyncio.create_task(talk(inga, topic)) for _ in range(3)]
        ended = [await continues(app, guest, topic, pause.random() * 0.05) for guest in guests]
        assert not any(each.done() for each in talkers), "they talked all the time"
        for each in talkers:
            each.cancel()
        await asyncio.gather(*talkers, return_exceptions=True)
    for guest, received in zip(guests, ended, strict=True):
        removed = database.run_read(lambda session, it=guest: session.get_one(User, it.user_id).deleted_at)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        sent = [frame.payload for frame in received if frame.event == "new_msg"]
        assert sent, "it listened"
        assert all(each["inserted_at"] <= rfc3339(removed) for each in sent), "received a message from after the commit"
    database.close()


def let_in(session: Session, family_id: str, guests: list[Person]) -> None:
    for each in guests:
        join(session, family_id, each)


async def talk(client: ChannelClient, topic: str) -> None:
    while True:
        assert (await client.ask(topic, "new_msg", {"body": "and then"})).status == "ok"


async def continues(app: RunningApp, guest: Person, topic: str, after: float) -> list[Frame]:
    """Listen for a while, then delete the account; return everything received."""
    async with (
        app.connect(guest) as socket,
        Poller(app.url, app.token(guest)) as poller,
        app.http(guest) as http,
    ):
        await asyncio.gather(socket.join(topic), poller.ask(topic, "phx_join"))
        await asyncio.sleep(after)
        assert (await delete(http)).status_code == 204
        read = await http.get(f"/conversations/{app.talks.family}/messages")
        _, polled = await poller.poll()
        assert (read.status_code, polled, await socket.closed()) == (401, 403, 1001)
        return [*socket.received, *poller.received]


async def test_concurrent_actions_of_a_deleted_user_leave_no_data(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    guests = database.run(lambda session: [person(session, f"guest{number}") for number in range(ROUNDS)])
    async with running_app(database_url, tmp_path) as app, app.http(app.home.maja) as maja:
        await database.transaction(lambda session: let_in(session, app.home.family_id, guests))
        for guest in guests:
            invited = await maja.post(f"/families/{app.home.family_id}/invites", json={})
            async with app.http(guest) as http:
                answers = await asyncio.gather(
                    http.post("/conversations/self"),
                    http.post("/conversations/direct", json={"user_id": app.home.maja.user_id}),
                    http.put("/me/push", json=BROWSER),
                    http.patch("/me/push", json={"content": "full"}),
                    http.patch("/me/notices", json={"read": False}),
                    http.get("/me"),
                    delete(http),
                    http.post(f"/invites/{invited.json()['token']}/accept"),
                    maja.post(f"/conversations/{app.talks.group}/members", json={"user_id": guest.user_id}),
                    http.post("/sessions", json={"username": guest.username, "password": PASSWORD}),
                    http.post("/conversations/self"),
                    http.put("/me/push", json=BROWSER),
                )
            statuses = [each.status_code for each in answers]
            assert statuses[6] == 204, answers[6].text
            assert not [each for each in answers if each.status_code >= 500], [each.text for each in answers]
    everything = [
        *(record.user_id for record in (Participant, FamilyMembership, Device, Passkey, StoredPushPreferences)),
        Conversation.owner_id,
    ]
    ids = [each.user_id for each in guests]
    for column in everything:
        found = database.run_read(lambda s, it=column: s.execute(select(it).where(it.in_(ids))).all())  # type: ignore[misc]  # as above
        assert found == [], column
    assert database.run_read(lambda session: session.execute(select(PushSubscription.device_id)).all()) == []
    database.close()


async def test_data_left_by_a_killed_server_is_deleted_at_the_next_start(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_deletion, "BATCH", 2)
    database = Database(database_url)
    async with running_app(database_url, tmp_path) as app, app.http(app.home.emil) as emil:
        notes = (await emil.post("/conversations/self")).json()["id"]
        for talk in (notes, app.talks.direct):
            for n in range(5):
                await emil.post(f"/conversations/{talk}/messages", json={"body": str(n)})
    database.run(lambda session: account_deletion.delete_account(session, app.home.emil.user_id))

    async with served(app.settings):
        pass

    left = database.run_read(lambda session: session.execute(select(Message.conversation_id, Message.device_id)).all())
    devices = database.run_read(lambda s: s.execute(select(Device).filter_by(user_id=app.home.emil.user_id)).all())
    assert left == [(app.talks.direct, None)] * 5
    assert devices == []
    assert database.run_read(lambda session: session.get(Conversation, notes)) is None
    database.close()
