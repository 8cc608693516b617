"""A conversation delivers every message once and stores every message once, whatever happens to the connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from famichat.client import Client, Conversation, Event, Message, Position, Refused, Session, SignedOut
from famichat.client.phoenix import MAX_EVENTS
from tests.factories.people import Person
from tests.support.app import RunningApp
from tests.support.cutting_proxy import CuttingProxy
from tests.support.program import famichat
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, Talkers, move_in, sqlite_in

PAGE = 200


def client_of(app: RunningApp, person: Person, url: str | None = None) -> Client:
    return Client(Session(url or app.url, app.token(person), user_id=person.user_id))


@asynccontextmanager
async def live(app: RunningApp, person: Person, **options: Any) -> AsyncIterator[Conversation]:
    url = options.pop("url", None)
    topic = f"message:group:{app.talks.group}"
    async with client_of(app, person, url) as client, client.conversation(topic, **options) as conversation:
        yield conversation


async def take(events: AsyncIterator[Event], *names: str, count: int) -> list[dict[str, Any]]:
    """The payloads of the next events with these names."""
    taken: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while len(taken) < count:
            event = await anext(events)
            if event.name in names:
                taken.append(event.payload)
    return taken


async def joined(conversation: Conversation) -> AsyncIterator[Event]:
    """The events after the first join."""
    events = conversation.events()
    await take(events, "joined", count=1)
    return events


def drop(conversation: Conversation) -> None:
    """Cut the connection, as a train that enters a tunnel does."""
    socket = conversation._connection._socket
    assert socket is not None
    socket.abort()


def bodies(messages: list[Any]) -> list[str]:
    return [each["body"] for each in messages]


async def test_a_message_has_the_fields_that_the_client_declares(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja, live(app, app.home.emil) as emil:
        received_events = await joined(emil)
        sent = await maja.send("hello")
        [message] = await take(received_events, "new_msg", count=1)

    assert set(message) == set(Message.__annotations__)
    assert {"message_id", "seq", "inserted_at"} <= set(sent)
    assert message["seq"] == sent["seq"]


async def test_a_connection_that_breaks_in_the_middle_loses_and_repeats_nothing(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja, live(app, app.home.emil) as emil:
        received_events = await joined(emil)
        received: list[str] = []
        for number in range(30):
            await maja.send(str(number))
            if number % 3 == 0:
                drop(emil)
            if number % 5 == 0:
                drop(maja)
            if number % 2:
                received += bodies(await take(received_events, "new_msg", count=2))

    assert received == [str(number) for number in range(30)]


async def test_a_message_sent_from_within_the_loop_waits_for_the_connection_and_blocks_nothing(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja, live(app, app.home.emil) as emil:
        received_events, answers = await joined(emil), await joined(maja)
        for number in range(3):
            await maja.send(f"ping {number}")
            await take(
                received_events, "new_msg", count=1 if number == 0 else 2
            )  # from the second on, the own pong before it
            drop(emil)
            async with asyncio.timeout(10):
                await emil.send(f"pong {number}")
        sent_message = await take(answers, "new_msg", count=6)

    assert bodies(sent_message) == [f"{word} {number}" for number in range(3) for word in ("ping", "pong")]


async def test_missed_changes_arrive_after_a_reconnect(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja:
        async with live(app, app.home.emil) as emil:
            received_events = await joined(emil)
            first, second, third = [await maja.send(text) for text in ("first", "second", "third")]
            await take(received_events, "new_msg", count=3)
            position = emil.position
        await maja.edit(first["message_id"], "first, edited")
        await maja.react(second["message_id"], "👍")
        await maja.delete(third["message_id"])
        await maja.send("fourth")
        async with live(app, app.home.emil, position=position) as emil:
            events = emil.events()
            [new] = await take(events, "new_msg", count=1)
            changed = await take(events, "message_updated", count=3)

    assert new["body"] == "fourth"
    assert [(each["body"], len(each["reactions"]), bool(each["deleted_at"])) for each in changed] == [
        ("first, edited", 0, False),
        ("second", 1, False),
        (None, 0, True),
    ]


async def test_more_than_a_page_of_messages_and_changes_is_caught_up_with(app: RunningApp) -> None:
    many = PAGE + 20
    async with live(app, app.home.maja) as maja:
        async with live(app, app.home.emil) as emil:
            await joined(emil)
            start = emil.position
        sent = [await maja.send(str(number)) for number in range(many)]
        async with live(app, app.home.emil, position=start) as emil:
            received = await take(emil.events(), "new_msg", count=many)
            middle = emil.position
        for each in sent:
            await maja.react(each["message_id"], "🎉")
        async with live(app, app.home.emil, position=middle) as emil:
            changed = await take(emil.events(), "message_updated", count=many)
            end = emil.position

    assert bodies(received) == bodies(changed) == [str(number) for number in range(many)]
    assert end is not None
    assert (end.last_seq, end.last_change) == (many, many)


async def test_a_slow_consumer_gets_everything_and_the_queue_stays_bounded(app: RunningApp) -> None:
    many = MAX_EVENTS + 50
    async with live(app, app.home.maja) as maja, live(app, app.home.emil) as emil:
        received_events = await joined(emil)
        for number in range(many):
            await maja.send(str(number))
        assert emil._joined is not None
        assert len(emil._joined.channel._events) <= MAX_EVENTS
        received = await take(received_events, "new_msg", count=many)

    assert bodies(received) == [str(number) for number in range(many)]


async def test_the_last_messages_come_first_if_they_are_wanted(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja:
        for number in range(5):
            await maja.send(str(number))
        async with live(app, app.home.emil, history=2) as emil:
            events = emil.events()
            earlier = await take(events, "new_msg", count=2)
            await maja.send("5")
            later = await take(events, "new_msg", count=1)

    assert bodies(earlier + later) == ["3", "4", "5"]


async def test_a_new_iteration_continues_where_a_cancelled_one_stopped(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja, live(app, app.home.emil) as emil:
        received_events = await joined(emil)
        for number in range(4):
            await maja.send(str(number))
        received = await take(received_events, "new_msg", count=2)
        for _ in range(2):
            waiting = asyncio.create_task(take(emil.events(), "head", count=99))
            await asyncio.sleep(0.1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await maja.send("4")
        received.append(dict(await anext(emil.messages())))

    assert bodies(received) == ["0", "1", "4"]  # 2 and 3 went to the iteration that was cancelled


async def test_a_lost_reply_stores_the_message_once(app: RunningApp) -> None:
    port = int(app.url.rpartition(":")[2])
    async with CuttingProxy(port) as proxy, live(app, app.home.maja, url=proxy.url) as maja:
        await joined(maja)
        proxy.cut_before(b'"message_id"')
        async with asyncio.timeout(10):
            sent = await maja.send("once")
    async with app.http(app.home.maja) as http:
        stored = (await http.get(f"/conversations/{app.talks.group}/messages?after_seq=0")).json()["messages"]

    assert proxy.cuts == 1
    assert bodies(stored) == ["once"]
    assert stored[0]["message_id"] == sent["message_id"]


async def test_a_lost_answer_over_http_stores_the_message_once(app: RunningApp) -> None:
    async with CuttingProxy(int(app.url.rpartition(":")[2])) as proxy, client_of(app, app.home.maja, proxy.url) as maja:
        proxy.cut_before(b'"message_id"')
        sent = await maja.send(app.talks.group, "once")
        stored = (await maja.get(f"/conversations/{app.talks.group}/messages", after_seq=0))["messages"]

    assert proxy.cuts == 1
    assert stored == [sent]


async def test_the_same_client_id_for_another_message_is_refused(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja:
        await maja.send("one", client_id="same")
        with pytest.raises(Refused) as refused:
            await maja.send("other", client_id="same")

    assert refused.value.code == "conflict"


async def test_a_message_that_breaks_the_connection_is_not_retried_forever(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja:
        with pytest.raises(Refused) as refused:
            await maja.send("not \0 allowed")
        await maja.send("allowed")

    assert refused.value.code == "invalid_message"


async def test_text_that_json_cannot_represent_is_refused_before_it_is_sent(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja, client_of(app, app.home.maja) as client:
        for send in (maja.send, partial(client.send, app.talks.group)):
            with pytest.raises(Refused) as refused:
                await send("half an emoji: \ud83d")
            assert refused.value.code == "invalid_json"
        sent = await maja.send("allowed")

    assert sent["seq"] == 1


async def test_received_messages_are_acknowledged_and_own_messages_are_not(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja, live(app, app.home.emil, acknowledge="read") as emil:
        received_events, reported = await joined(emil), await joined(maja)
        await emil.send("mine")
        await maja.send("yours")
        await take(received_events, "new_msg", count=2)
        reading = asyncio.create_task(
            take(received_events, "new_msg", count=1)
        )  # asks for more: it is done with those before
        statuses = await take(reported, "message_status", count=2)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    assert {(each["user_id"], each["status"], each["seq"]) for each in statuses} == {
        (app.home.maja.user_id, "delivered", 1),
        (app.home.emil.user_id, "read", 2),
    }


async def test_typing_is_shown(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja, live(app, app.home.emil) as emil:
        received_events = await joined(emil)
        await joined(maja)
        await maja.typing()
        [typing] = await take(received_events, "typing", count=1)

    assert (typing["user_id"], typing["typing"]) == (app.home.maja.user_id, True)


async def test_it_ends_when_the_user_is_removed(app: RunningApp) -> None:
    async with live(app, app.home.emil) as emil, app.http(app.home.maja) as maja:
        received_events = await joined(emil)
        await maja.delete(f"/conversations/{app.talks.group}/members/{app.home.emil.user_id}")
        with pytest.raises(Refused) as refused:
            await take(received_events, "new_msg", count=1)
        with pytest.raises(Refused):
            await emil.send("let me in")

    assert refused.value.code == "not_found"


async def test_it_ends_when_the_device_is_signed_out(app: RunningApp) -> None:
    async with live(app, app.home.emil) as emil, app.http(app.home.emil) as http:
        received_events = await joined(emil)
        await http.delete("/sessions/current")
        with pytest.raises(SignedOut) as signed_out:
            await take(received_events, "new_msg", count=1)

    assert signed_out.value.code == "invalid_token"


async def test_a_position_of_another_history_starts_over(app: RunningApp) -> None:
    async with live(app, app.home.maja) as maja:
        await maja.send("one")
        await maja.send("two")
        async with live(app, app.home.emil, position=Position("another epoch", 1, 0)) as emil:
            events = emil.events()
            [join] = await take(events, "joined", count=1)
            received = await take(events, "new_msg", count=2)
            await maja.send("three")
            received += await take(events, "new_msg", count=1)
            position = emil.position

    assert join["recovered"] is False
    assert bodies(received) == ["one", "two", "three"]
    assert position == Position(join["epoch"], 3, 0)


async def test_conversations_share_a_socket(app: RunningApp) -> None:
    async with client_of(app, app.home.maja) as client:
        family = client.conversation(await client.find_conversation("family"))
        group = client.conversation(f"message:group:{app.talks.group}")
        async with family, group:
            one, other = await joined(family), await joined(group)
            await group.send("to the group")
            await family.send("to the family")
            received_events = [bodies(await take(each, "new_msg", count=1)) for each in (one, other)]
            assert client._connection._socket is not None
            assert len(client._connection._socket._channels) == 2

    assert received_events == [["to the family"], ["to the group"]]


@asynccontextmanager
async def two_in_a_conversation(server: FamichatServer, talkers: Talkers) -> AsyncIterator[list[Conversation]]:
    """Maja and Emil in their direct conversation."""
    seats = [seat for seat in talkers.seats if ":direct:" in seat.topic]
    async with AsyncExitStack() as stack:
        conversations = []
        for seat in seats:
            session = Session(server.url, seat.token, user_id=seat.user)
            client = await stack.enter_async_context(Client(session))
            conversations.append(await stack.enter_async_context(client.conversation(seat.topic)))
        yield conversations


async def test_a_server_that_is_killed_and_started_again_costs_no_message(tmp_path: Path) -> None:
    talkers = move_in(sqlite_in(tmp_path / "data"))
    async with (
        FamichatServer(tmp_path / "data", settings=KEYS) as server,
        two_in_a_conversation(server, talkers) as (speaking, listening),
    ):
        received_events = await joined(listening)
        sending = asyncio.create_task(send_all(speaking, 60))
        received = await take(received_events, "new_msg", count=10)
        server.kill()
        await server.start()
        received += await take(received_events, "new_msg", count=50)
        await sending

    assert bodies(received) == [str(number) for number in range(60)]


async def send_all(conversation: Conversation, count: int) -> None:
    for number in range(count):
        await conversation.send(str(number))
        await asyncio.sleep(0.01)


async def test_a_server_that_was_restored_from_a_backup_is_read_from_its_end(tmp_path: Path) -> None:
    talkers, backup = move_in(sqlite_in(tmp_path / "data")), tmp_path / "backup.tar"
    keys = {name.lower(): value for name, value in KEYS.items()}
    async with (
        FamichatServer(tmp_path / "data", settings=KEYS) as server,
        two_in_a_conversation(server, talkers) as (speaking, listening),
    ):
        received_events = await joined(listening)
        await speaking.send("kept")
        assert famichat("backup", backup, data_dir=tmp_path / "data", **keys).returncode == 0
        await speaking.send("lost")
        before = await take(received_events, "new_msg", count=2)
        await server.stop()
        assert famichat("restore", backup, data_dir=tmp_path / "restored").returncode == 0
        after = FamichatServer(tmp_path / "restored", settings={"PORT": str(server.port)})
        after.port = server.port
        async with after:
            [join] = await take(received_events, "joined", count=1)
            await speaking.send("new")
            again = await take(received_events, "new_msg", count=2)
            position = listening.position

    assert bodies(before) == ["kept", "lost"]
    assert join["recovered"] is False
    assert bodies(again) == ["kept", "new"]
    assert position == Position(join["epoch"], 2, 0)
