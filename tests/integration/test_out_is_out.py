"""Out is out: whoever is removed from a group while people talk gets nothing that is said after the removal's commit.

The others never stop talking. The one who is removed listens with one device over a WebSocket and another over long
poll, and tries everything to hear or to say one thing more.
"""

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp
from tests.support.channel_client import ChannelClient, Frame

ROUNDS = 50
TALKERS = 6


class Poller:
    """One device's session of long polls. `heard` are its frames, in order."""

    def __init__(self, app: RunningApp, who: Person) -> None:
        self.heard: list[Frame] = []
        self._http = httpx.AsyncClient(base_url=app.url)
        self._opening = {"vsn": "2.0.0", "token": app.token(who)}
        self._refs = itertools.count(1)
        self._session = ""

    async def __aenter__(self) -> Self:
        self._session = (await self._http.get("/socket/longpoll", params=self._opening)).json()["token"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, topic: str, event: str) -> str:
        """Send a frame, poll until it is answered, and give the status."""
        ref = str(next(self._refs))
        frame = json.dumps([ref if event == "phx_join" else None, ref, topic, event, {}])
        headers = {"content-type": "application/x-ndjson"}
        await self._http.post("/socket/longpoll", params=self._params, content=frame, headers=headers)
        async with asyncio.timeout(10):
            while True:
                answer = (await self._http.get("/socket/longpoll", params=self._params, timeout=30)).json()
                frames = [Frame(*json.loads(message)) for message in answer["messages"]]
                self.heard += frames
                replies = [each for each in frames if each.event == "phx_reply" and each.ref == ref]
                if replies:
                    return str(replies[0].status)

    @property
    def _params(self) -> dict[str, str]:
        return {"vsn": "2.0.0", "token": self._session}


@asynccontextmanager
async def talking(client: ChannelClient, topic: str) -> AsyncIterator[None]:
    """Let a client talk without a pause, several messages under way at any time."""

    async def talk() -> None:
        while True:
            assert (await client.ask(topic, "new_msg", {"body": "and then"})).status == "ok"

    talkers = [asyncio.create_task(talk()) for _ in range(TALKERS)]
    try:
        yield
        assert not any(talker.done() for talker in talkers), "they talked all the time"
    finally:
        for talker in talkers:
            talker.cancel()
        await asyncio.gather(*talkers, return_exceptions=True)


def about(frames: list[Frame], conversation_id: str) -> list[str]:
    """The events among these that say something of a conversation."""
    told = [each for each in frames if each.event != "phx_reply" and conversation_id in repr(each)]
    return [each.event for each in told]


def after_the_end(frames: list[Frame], topic: str) -> list[Frame]:
    """What came after the channel was closed."""
    [end] = [place for place, each in enumerate(frames) if (each.topic, each.event) == (topic, "phx_close")]
    return frames[end + 1 :]


def furthest(frames: list[Frame]) -> int:
    """The last message that was heard."""
    return max((each.payload["seq"] for each in frames if each.event == "new_msg"), default=0)


async def test_nothing_reaches_whoever_was_removed_while_others_talk(app: RunningApp) -> None:
    home, group = app.home, app.talks.group
    topic, own, admins = f"message:group:{group}", f"user:{home.emil.user_id}", f"user:{home.maja.user_id}"
    pause = random.Random(7)  # noqa: S311 - it decides about pauses
    async with (
        app.http(home.maja) as maja,
        app.http(home.emil) as emil,
        app.connect(home.inga) as inga,
        app.connect(home.emil) as socket,
        app.connect(home.maja) as witness,
        Poller(app, home.emil) as poller,
    ):
        await asyncio.gather(inga.join(topic), socket.join(own), witness.join(admins))
        async with talking(inga, topic):
            for _ in range(ROUNDS):
                await asyncio.gather(socket.join(topic), poller.ask(topic, "phx_join"))
                socket.received.clear()
                socket.unread.clear()
                witness.unread.clear()
                poller.heard.clear()
                await asyncio.sleep(pause.random() * 0.02)

                assert (await maja.delete(f"/conversations/{group}/members/{home.emil.user_id}")).status_code == 204

                # The very next thing that he does, in every way there is.
                read, said, rejoined, polled = await asyncio.gather(
                    emil.get(f"/conversations/{group}/messages"),
                    emil.post(f"/conversations/{group}/messages", json={"body": "wait"}),
                    socket.join(topic, status="error"),
                    poller.ask(topic, "phx_join"),
                )
                assert (read.status_code, said.status_code, polled) == (404, 404, "error")
                assert rejoined == {"reason": "not_found"}
                await asyncio.sleep(0.01)
                await socket.heartbeat()
                await poller.ask("phoenix", "heartbeat")

                told: Any = await witness.assert_broadcast(admins, "conversation_updated")
                at_removal = told.payload["conversation"]["last_seq"]
                for frames in (socket.received, poller.heard):
                    assert furthest(frames) <= at_removal, "he heard what was said after the removal's commit"
                    assert set(about(after_the_end(frames, topic), group)) <= {"conversation_left"}

                assert (
                    await maja.post(f"/conversations/{group}/members", json={"user_id": home.emil.user_id})
                ).status_code == 201


async def test_nothing_reaches_a_device_that_was_signed_out_while_others_talk(app: RunningApp) -> None:
    home, family = app.home, app.talks.family
    topic, own = f"message:family:{family}", f"user:{home.emil.user_id}"
    signing_in = {"username": home.emil.username, "password": PASSWORD}
    async with (
        app.http(home.emil) as emil,
        app.http() as http,
        app.connect(home.inga) as inga,
        app.connect(home.emil) as witness,
    ):
        await asyncio.gather(inga.join(topic), witness.join(topic), witness.join(own))
        async with talking(inga, topic):
            for _ in range(ROUNDS // 3):
                session = (await http.post("/sessions", json=signing_in)).raise_for_status().json()
                async with ChannelClient.connect(f"{app.url}/socket", token=session["access_token"]) as device:
                    await device.join(topic)
                    await witness.heartbeat()
                    reached = furthest(witness.received)
                    witness.received.clear()
                    witness.unread.clear()
                    assert (await emil.delete(f"/devices/{session['device_id']}")).status_code == 204

                    bearer = {"authorization": f"Bearer {session['access_token']}"}
                    read = await http.get(f"/conversations/{family}/messages", headers=bearer)
                    refreshed = await http.post("/sessions/refresh", json={"refresh_token": session["refresh_token"]})
                    await device.closed()
                    with pytest.raises(InvalidStatus) as refused:
                        await ChannelClient.connect(f"{app.url}/socket", token=session["access_token"]).__aenter__()
                assert (read.status_code, refreshed.status_code, refused.value.response.status_code) == (401, 401, 403)

                await witness.assert_broadcast(own, "device_revoked", {"device_id": session["device_id"]})
                seen = [each.event for each in witness.received].index("device_revoked")
                reached = max(reached, furthest(witness.received[:seen]))
                assert furthest(device.received) <= reached, "it heard more than the others by then"
