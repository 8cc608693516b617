"""A removed member gets no message that is stored after the commit of the removal.

The other members send messages all the time. Eight guests at a time, each with one device on a WebSocket and another on
long poll, leave a group or family, are removed from it, are signed out, or delete their accounts. They then try every
way to read or send one more message. A test runs 64 removals, and 200 in a long run.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from websockets.exceptions import InvalidStatus

from famichat.accounts.device import Device
from famichat.storage.base import rfc3339
from famichat.storage.database import Database
from tests.factories.people import PASSWORD, Person, person
from tests.support.app import RunningApp, running_app
from tests.support.channel_client import ChannelClient, Frame
from tests.support.effort import repetitions
from tests.support.poller import Poller

GUESTS = 8
ROUNDS = repetitions(8, long=25)
FAREWELLS = repetitions(3, long=5)
TALKERS = 3
CHANGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("edit_msg", {"body": "or rather"}),
    ("react", {"emoji": "❤"}),
    ("delete_msg", {}),
)

pytestmark = pytest.mark.timeout(repetitions(400, long=1800))  # many removals, perhaps on a busy machine


@dataclass(frozen=True, slots=True)
class Stage:
    """A server, and guests who will join the family."""

    app: RunningApp
    guests: list[Person]


@pytest.fixture
async def stage(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    database = Database(database_url)
    guests = database.run(lambda session: [person(session, f"guest{number}") for number in range(GUESTS * FAREWELLS)])
    database.close()
    async with running_app(database_url, tmp_path) as app:
        yield Stage(app, guests)


@dataclass(frozen=True, slots=True)
class Guest:
    """A temporary member with a WebSocket and a long-poll session."""

    person: Person
    socket: ChannelClient
    poller: Poller
    http: httpx.AsyncClient

    async def listen(self, *topics: str) -> None:
        for topic in topics:
            await asyncio.gather(self.socket.join(topic), self.poller.ask(topic, "phx_join"))
        forget(self.socket)
        self.poller.received.clear()

    async def tries_everything(self, topic: str) -> None:
        """Read, send and join concurrently; the replies are those for an unknown conversation."""
        conversation = f"/conversations/{topic.rsplit(':', 1)[1]}"
        read, sent, rejoined, polled = await asyncio.gather(
            self.http.get(f"{conversation}/messages"),
            self.http.post(f"{conversation}/messages", json={"body": "wait"}),
            self.socket.join(topic, status="error"),
            self.poller.ask(topic, "phx_join"),
        )
        assert (read.status_code, sent.status_code, polled) == (404, 404, "error")
        assert rejoined == {"reason": "not_found"}

    async def hears_out(self) -> None:
        """Receive all pending events."""
        await self.socket.heartbeat()
        await self.poller.ask("phoenix", "heartbeat")


@asynccontextmanager
async def everyone(stage: Stage) -> AsyncIterator[list[Guest]]:
    async with AsyncExitStack() as opened:

        async def come(who: Person) -> Guest:
            socket = await opened.enter_async_context(stage.app.connect(who))
            poller = await opened.enter_async_context(Poller(stage.app.url, stage.app.token(who)))
            guest = Guest(who, socket, poller, await opened.enter_async_context(stage.app.http(who)))
            await socket.join(f"user:{who.user_id}")
            return guest

        yield [await come(who) for who in stage.guests[:GUESTS]]


@asynccontextmanager
async def talking(client: ChannelClient, *topics: str) -> AsyncIterator[None]:
    """Send, edit and delete messages without pause, several at a time."""

    async def talk(topic: str, *, changing: bool) -> None:
        while True:
            sent = await client.ask(topic, "new_msg", {"body": "and then"})
            assert sent.status == "ok"
            for event, rest in CHANGES if changing else ():
                answer = await client.ask(topic, event, {"message_id": sent.response["message_id"], **rest})
                assert answer.status == "ok"

    talkers = [asyncio.create_task(talk(topic, changing=number == 0)) for topic in topics for number in range(TALKERS)]
    try:
        yield
        assert not any(talker.done() for talker in talkers), "they talked all the time"
    finally:
        for talker in talkers:
            talker.cancel()
        await asyncio.gather(*talkers, return_exceptions=True)


def forget(client: ChannelClient) -> None:
    client.received.clear()
    client.unread.clear()


def about(frames: list[Frame], conversation_id: str) -> set[str]:
    """Return the events that concern a conversation."""
    return {each.event for each in frames if each.event != "phx_reply" and conversation_id in repr(each)}


def after_the_end(frames: list[Frame], topic: str) -> list[Frame]:
    """Return the events after the close of the channel; check that it closed once."""
    [end] = [place for place, each in enumerate(frames) if (each.topic, each.event) == (topic, "phx_close")]
    return frames[end + 1 :]


def messages(frames: list[Frame], topic: str) -> list[dict[str, Any]]:
    return [each.payload for each in frames if (each.topic, each.event) == (topic, "new_msg")]


def changes(frames: list[Frame], topic: str) -> list[dict[str, Any]]:
    return [each.payload for each in frames if (each.topic, each.event) == (topic, "message_updated")]


def without_them(frames: list[Frame], conversation_id: str, user_id: str) -> tuple[int, int]:
    """Return the last message and change before a removal, as announced to the other members."""
    views = [each.payload["conversation"] for each in frames if each.event == "conversation_updated"]
    places = [
        (view["last_seq"], view["last_change"])
        for view in views
        if view["id"] == conversation_id and user_id not in {member["user_id"] for member in view["members"]}
    ]
    assert places, "the others are told that somebody went"
    return min(places)


async def hears_no_more(app: RunningApp, token: str, socket: ChannelClient, poller: Poller) -> None:
    """Check that all connections of a device are closed and that it cannot open new ones."""
    bearer = {"authorization": f"Bearer {token}"}
    async with app.http() as http:
        read, (_, polled) = await asyncio.gather(
            http.get(f"/conversations/{app.talks.family}/messages", headers=bearer), poller.poll()
        )
    assert (read.status_code, polled) == (401, 403)
    await socket.closed()
    with pytest.raises(InvalidStatus) as refused:
        await ChannelClient.connect(f"{app.url}/socket", token=token).__aenter__()
    assert refused.value.response.status_code == 403


def heard_nothing_more(guest: Guest, topic: str, told_to_others: list[Frame]) -> None:
    """Check that a guest received no message stored after the commit, and no event after the close of a channel."""
    conversation_id = topic.rsplit(":", 1)[1]
    last, last_change = without_them(told_to_others, conversation_id, guest.person.user_id)
    for frames in (guest.socket.received, guest.poller.received):
        assert all(each["seq"] <= last for each in messages(frames, topic)), "received a message from after the commit"
        assert all(each["change"] <= last_change for each in changes(frames, topic)), "heard what changed after it"
        assert about(after_the_end(frames, topic), conversation_id) <= {"conversation_left"}


async def joins(maja: httpx.AsyncClient, someone: httpx.AsyncClient, family_id: str) -> None:
    """Add a guest to the family by an invitation."""
    token = (await maja.post(f"/families/{family_id}/invites", json={})).raise_for_status().json()["token"]
    (await someone.post(f"/invites/{token}/accept")).raise_for_status()


async def comes_back(maja: httpx.AsyncClient, guest: Guest, family_id: str, group_id: str) -> None:
    """Add a guest to the group, and before that to the family if necessary."""
    newcomer = {"user_id": guest.person.user_id}
    if family_id not in {each["id"] for each in (await guest.http.get("/families")).json()["families"]}:
        await joins(maja, guest.http, family_id)
    (await maja.post(f"/conversations/{group_id}/members", json=newcomer)).raise_for_status()


async def test_nothing_reaches_a_removed_member_while_others_send(stage: Stage) -> None:
    app, home = stage.app, stage.app.home
    group, family = f"message:group:{app.talks.group}", f"message:family:{app.talks.family}"
    from_group, from_family = f"/conversations/{app.talks.group}/members", f"/families/{home.family_id}/members"
    pause = random.Random(7)  # noqa: S311 - it decides about pauses
    async with (
        app.http(home.maja) as maja,
        app.connect(home.inga) as inga,
        app.connect(home.maja) as witness,
        everyone(stage) as guests,
    ):
        ways: cycle[tuple[str, Callable[[Guest], httpx.AsyncClient], tuple[str, ...]]] = cycle(
            [
                (from_group, lambda _: maja, (group,)),
                (from_family, lambda guest: guest.http, (group, family)),
                (from_group, lambda guest: guest.http, (group,)),
                (from_family, lambda _: maja, (group, family)),
                (from_group, lambda _: maja, (group,)),
            ]
        )

        async def continues(guest: Guest) -> tuple[Guest, tuple[str, ...]]:
            place, who_asks, lost = next(ways)
            await asyncio.sleep(pause.random() * 0.05)
            removed = await who_asks(guest).delete(f"{place}/{guest.person.user_id}")
            assert removed.status_code == 204
            for topic in lost:  # immediately after the removal
                await guest.tries_everything(topic)
            await guest.hears_out()
            return guest, lost

        await asyncio.gather(inga.join(group), inga.join(family), witness.join(f"user:{home.maja.user_id}"))
        for _ in range(ROUNDS):
            for guest in guests:
                await comes_back(maja, guest, home.family_id, app.talks.group)
            async with talking(inga, group, family):
                await asyncio.gather(*(guest.listen(group, family) for guest in guests))
                forget(witness)
                departures = await asyncio.gather(*(continues(guest) for guest in guests))
            await witness.heartbeat()
            for guest, lost in departures:
                for topic in lost:
                    heard_nothing_more(guest, topic, witness.received)


async def test_nothing_reaches_a_device_that_was_signed_out_while_others_talk(stage: Stage, database_url: str) -> None:
    app, home = stage.app, stage.app.home
    topic = f"message:family:{app.talks.family}"
    signing_in = {"username": home.emil.username, "password": PASSWORD}
    pause = random.Random(7)  # noqa: S311 - it decides about pauses
    database = Database(database_url)

    async def signed_out_at(device_id: str) -> datetime:
        found = await database.read(
            lambda session: session.execute(select(Device).filter_by(id=device_id)).scalar_one()
        )
        assert found.revoked_at is not None
        return found.revoked_at

    async def comes_and_goes(emil: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
        session = (await http.post("/sessions", json=signing_in)).raise_for_status().json()
        token, device_id = session["access_token"], session["device_id"]
        async with (
            ChannelClient.connect(f"{app.url}/socket", token=token) as socket,
            Poller(app.url, token) as poller,
        ):
            await asyncio.gather(socket.join(topic), poller.ask(topic, "phx_join"))
            await asyncio.sleep(pause.random() * 0.05)
            assert (await emil.delete(f"/devices/{device_id}")).status_code == 204

            refreshed = await http.post("/sessions/refresh", json={"refresh_token": session["refresh_token"]})
            assert refreshed.status_code == 401
            await hears_no_more(app, token, socket, poller)
        end = rfc3339(await signed_out_at(device_id))
        for received in (messages(socket.received, topic), messages(poller.received, topic)):
            assert all(each["inserted_at"] <= end for each in received), "received a message from after the commit"

    async with app.http(home.emil) as emil, app.http() as http, app.connect(home.inga) as inga:
        await inga.join(topic)
        async with talking(inga, topic):
            for _ in range(ROUNDS):
                await asyncio.gather(*(comes_and_goes(emil, http) for _ in range(GUESTS)))
    database.close()


async def test_nothing_reaches_a_deleted_account_while_others_send(stage: Stage) -> None:
    app, home = stage.app, stage.app.home
    topic = f"message:family:{app.talks.family}"
    pause = random.Random(7)  # noqa: S311 - it decides about pauses

    async def says_farewell(who: Person, together: asyncio.Barrier) -> tuple[Person, ChannelClient, Poller]:
        async with (
            app.http(who) as http,
            app.connect(who) as socket,
            Poller(app.url, app.token(who)) as poller,
        ):
            await asyncio.gather(socket.join(topic), poller.ask(topic, "phx_join"))
            await together.wait()
            await asyncio.sleep(pause.random() * 0.05)
            removed = await http.request("DELETE", "/me", json={"password": PASSWORD})
            assert removed.status_code == 204
            await hears_no_more(app, app.token(who), socket, poller)
        return who, socket, poller

    async with app.http(home.maja) as maja, app.connect(home.inga) as inga, app.connect(home.maja) as witness:
        await asyncio.gather(inga.join(topic), witness.join(f"user:{home.maja.user_id}"))
        for some in (stage.guests[first : first + GUESTS] for first in range(0, len(stage.guests), GUESTS)):
            for each in some:
                async with app.http(each) as http:
                    await joins(maja, http, home.family_id)
            together = asyncio.Barrier(GUESTS)
            forget(witness)
            async with talking(inga, topic):
                removed = await asyncio.gather(*(says_farewell(each, together) for each in some))
            await witness.heartbeat()
            for who, socket, poller in removed:
                last, _ = without_them(witness.received, app.talks.family, who.user_id)
                for received in (messages(socket.received, topic), messages(poller.received, topic)):
                    assert all(each["seq"] <= last for each in received), "received a message from after the commit"
