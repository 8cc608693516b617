"""Message channels (stories 7.1, 7.2, 7.5.2): real sockets, the real application, both databases."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from famichat.actions.events.topic_feed import TopicFeeds
from famichat.chat.messages.history import resume
from famichat.realtime.pubsub import PubSub
from famichat.realtime.strict_json import dumps
from famichat.storage.base import new_id
from famichat.telemetry.events import (
    AuthorizationDenied,
    BroadcastOverBudget,
    Event,
    MessageAcknowledged,
    MessageBroadcast,
    MessageChannelJoined,
    MessageChannelJoinRefused,
    MessageSent,
)
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp, running_app
from tests.support.channel_client import ChannelClient

MESSAGE_FIELDS = {
    "message_id", "conversation_id", "seq", "user_id", "device_id", "message_type", "body", "client_id", "reply_to",
    "inserted_at", "edited_at", "deleted_at", "deleted_by", "encryption_flag", "encryption_version", "key_id",
    "protocol", "epoch", "sender_device_id", "reactions", "change", "attachments",
}  # fmt: skip
JOIN_FIELDS = {
    "conversation", "epoch", "last_seq", "recovered", "encryption_status", "messages", "has_more", "last_change",
    "changes", "has_more_changes", "receipts",
}  # fmt: skip
CONVERSATION_FIELDS = {
    "id", "type", "family_id", "name", "created_at", "epoch", "last_seq", "last_change", "history", "members",
    "encryption_policy", "encryption_status", "mls", "last_message", "unread", "hidden", "hidden_by_users", "archived",
    "pinned", "marked_unread", "muted_until", "contact",
}  # fmt: skip


def of(kind: type[Event], emitted: list[Event]) -> list[Event]:
    return [event for event in emitted if type(event) is kind]


def topic_of(app: RunningApp, kind: str) -> str:
    return f"message:{kind}:{getattr(app.talks, kind)}"


# Joining: story 7.1


@pytest.mark.parametrize("token", [None, "", "forged", "a.b.c"])
async def test_a_socket_without_a_valid_token_is_refused_with_403(
    app: RunningApp, token: str | None, emitted: list[Event]
) -> None:
    with pytest.raises(InvalidStatus) as raised:
        async with ChannelClient.connect(f"{app.url}/socket", token=token):
            pass

    assert raised.value.response.status_code == 403
    assert raised.value.response.body == b""
    denied = of(AuthorizationDenied, emitted)
    assert denied == [AuthorizationDenied(door="socket", reason="invalid_token" if token else "unauthorized")]


@pytest.mark.parametrize("kind", ["self", "direct", "group", "family"])
async def test_a_member_joins_a_conversation_of_each_type(app: RunningApp, kind: str) -> None:
    async with app.connect(app.home.maja) as maja:
        joined = await maja.join(topic_of(app, kind))

        assert set(joined) == JOIN_FIELDS
        assert set(joined["conversation"]) == CONVERSATION_FIELDS
        assert (joined["conversation"]["id"], joined["conversation"]["type"]) == (getattr(app.talks, kind), kind)
        assert (joined["last_seq"], joined["recovered"], joined["messages"], joined["has_more"]) == (0, True, [], False)
        state = await maja.assert_push(topic_of(app, kind), "presence_state")
        assert list(state.payload) == [app.home.maja.user_id]


async def test_the_token_may_come_as_phoenix_1_8_sends_it(app: RunningApp) -> None:
    async with ChannelClient.connect(f"{app.url}/socket", auth_token=app.token(app.home.maja)) as maja:
        await maja.join(topic_of(app, "self"))

        assert maja.websocket.subprotocol == "phoenix"


@pytest.mark.parametrize(
    "topic", ["room:lobby", "message", "message:direct", "message:secret:x", "message:direct:", "x"]
)
async def test_an_invented_topic_is_refused_with_its_reason(app: RunningApp, topic: str) -> None:
    async with app.connect(app.home.maja) as maja:
        assert await maja.join(topic, status="error") == {"reason": "invalid_topic_format"}


async def test_missing_forbidden_malformed_and_wrong_type_are_one_answer(app: RunningApp) -> None:
    topics = [
        f"message:direct:{new_id()}",
        f"message:self:{app.talks.self}",
        f"message:group:{app.talks.direct}",
        "message:direct:not-an-id",
        f"message:direct:{app.talks.direct.upper()}X",
    ]
    async with app.connect(app.home.emil) as emil:
        answers = [await emil.join(topic, status="error") for topic in topics]

    assert answers == [{"reason": "not_found"}] * len(topics)


async def test_an_outsider_receives_nothing_from_a_conversation(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.ada) as ada, app.connect(app.home.maja) as maja:
        await ada.join(topic, status="error")
        await maja.join(topic)

        await maja.assert_reply(await maja.push(topic, "new_msg", {"body": "psst"}))

        await ada.assert_reply(
            await ada.push(topic, "new_msg", {"body": "me too"}), "error", {"reason": "unmatched topic"}
        )
        await ada.refute_broadcast(topic, "new_msg")
        await ada.refute_broadcast(topic, "presence_diff")


async def test_a_device_that_is_signed_out_can_do_nothing_on_a_socket_that_is_still_open(
    app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PubSub, "disconnect_here", lambda _self, _id: None)  # as if no one had closed it yet
    direct, group = topic_of(app, "direct"), topic_of(app, "group")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil, app.http(app.home.maja) as http:
        await maja.join(direct)
        await emil.join(direct)
        sent = (await maja.ask(direct, "new_msg", {"body": "hej"})).response["message_id"]
        assert (await http.delete(f"/devices/{app.home.maja.device_id}")).status_code == 204
        requests: list[tuple[str, dict[str, object]]] = [
            ("fetch", {"after_seq": 0}),
            ("fetch_changes", {"after_change": 0}),
            ("typing", {"typing": True}),
            ("new_msg", {"body": "still here"}),
            ("edit_msg", {"message_id": sent, "body": "still here"}),
            ("message_ack", {"message_id": sent, "status": "read"}),
            ("decrypt_failed", {"message_id": sent}),
        ]
        refused = [await maja.ask(direct, event, payload) for event, payload in requests]
        for topic in (group, f"user:{app.home.maja.user_id}"):
            assert (await maja.join(topic, status="error"))["reason"] == "not_found"

        assert [(each.status, each.response["reason"]) for each in refused] == [("error", "not_found")] * len(requests)
        await emil.refute_broadcast(direct, "typing")


async def test_a_join_tells_telemetry_only_whether_encryption_is_on(app: RunningApp, emitted: list[Event]) -> None:
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic_of(app, "direct"))

    (joined,) = of(MessageChannelJoined, emitted)
    assert isinstance(joined, MessageChannelJoined)
    assert joined.name == "famichat.message_channel.join"
    assert (joined.status, joined.encryption_status, joined.conversation_type) == ("ok", "disabled", "direct")
    assert joined.duration_seconds > 0


async def test_a_join_reports_that_encryption_is_on_where_it_is_required(
    database_url: str, tmp_path: Path, emitted: list[Event]
) -> None:
    async with (
        running_app(database_url, tmp_path, encryption_policy_direct="required") as app,
        app.connect(app.home.maja) as maja,
    ):
        for kind in ("direct", "group"):
            await maja.join(topic_of(app, kind))

    joined = [each for each in of(MessageChannelJoined, emitted) if isinstance(each, MessageChannelJoined)]
    assert [each.encryption_status for each in joined] == ["enabled", "disabled"]


async def test_a_refused_join_tells_telemetry_nothing_about_encryption(app: RunningApp, emitted: list[Event]) -> None:
    async with app.connect(app.home.ada) as ada:
        params = {"key_id": "KEY", "encryption_flag": True, "encryption_version": "v1"}
        await ada.join(topic_of(app, "direct"), params, status="error")

    (refused,) = of(MessageChannelJoinRefused, emitted)
    assert isinstance(refused, MessageChannelJoinRefused)
    assert (refused.name, refused.status, refused.reason) == ("famichat.message_channel.join", "error", "not_found")
    assert not [field for field in refused.__slots__ if "encryption" in field or "key" in field]


# Talking: story 7.2


async def test_a_message_reaches_all_members_and_the_sender_before_the_reply(
    app: RunningApp, emitted: list[Event]
) -> None:
    topic = topic_of(app, "group")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        await emil.join(topic)

        ref = await maja.push(topic, "new_msg", {"body": "Hej på er", "client_id": "c1"})
        reply = await maja.assert_reply(ref)
        received_events = (await emil.assert_broadcast(topic, "new_msg")).payload

    assert set(reply.response) == {"message_id", "seq", "inserted_at"}
    assert set(received_events) == MESSAGE_FIELDS
    assert received_events == {
        **reply.response,
        "conversation_id": app.talks.group,
        "user_id": app.home.maja.user_id,
        "device_id": app.home.maja.device_id,
        "message_type": "text",
        "body": "Hej på er",
        "client_id": "c1",
        "reply_to": None,
        "edited_at": None,
        "deleted_at": None,
        "deleted_by": None,
        "encryption_flag": False,
        "encryption_version": None,
        "key_id": None,
        "protocol": None,
        "epoch": None,
        "sender_device_id": None,
        "reactions": [],
        "attachments": [],
        "change": 0,
    }
    order = [frame.event for frame in maja.received if frame.event == "new_msg" or frame.ref == ref]
    assert order == ["new_msg", "phx_reply"]
    (reported,) = of(MessageBroadcast, emitted)
    assert isinstance(reported, MessageBroadcast)
    assert (reported.broadcast_event, reported.conversation_type) == ("new_msg", "group")
    assert reported.payload_bytes == len(dumps([None, None, topic, "new_msg", received_events]))
    assert len(of(MessageSent, emitted)) == 1


async def test_live_messages_equal_the_messages_read_later(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        first = (await maja.ask(topic, "new_msg", {"body": "one"})).response
        encrypted = {
            "body": "q83vASNFZ4k", "encryption_flag": True, "version_tag": "v1.0.0", "key_id": "KEY_FAMILY_v1",
            "reply_to": first["message_id"], "message_type": "note", "client_id": "x",
        }  # fmt: skip
        await maja.ask(topic, "new_msg", encrypted)
        received_events = [(await maja.assert_broadcast(topic, "new_msg")).payload for _ in range(2)]
        joined = await emil.join(topic)
        fetched = (await emil.ask(topic, "fetch", {"after_seq": 0})).response

    assert joined["messages"] == received_events
    assert fetched == {"messages": received_events, "has_more": False}
    assert (received_events[1]["encryption_version"], received_events[1]["key_id"], received_events[1]["body"]) == (
        "v1.0.0", "KEY_FAMILY_v1", "q83vASNFZ4k",
    )  # fmt: skip


async def test_a_resent_message_gets_the_first_reply_and_is_not_broadcast_again(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    message = {"body": "once", "client_id": "only"}
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        await emil.join(topic)

        replies = [(await maja.ask(topic, "new_msg", message)).response for _ in range(3)]
        await emil.assert_broadcast(topic, "new_msg")

        assert replies[0] == replies[1] == replies[2]
        await emil.refute_broadcast(topic, "new_msg")
        conflict = await maja.ask(topic, "new_msg", {**message, "body": "twice"})
        assert (conflict.status, conflict.response) == ("error", {"reason": "conflict"})


async def test_pipelined_messages_of_one_sender_keep_their_order(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        await emil.join(topic)

        refs = [await maja.push(topic, "new_msg", {"body": str(n)}) for n in range(100)]
        seqs = [(await maja.assert_reply(ref)).response["seq"] for ref in refs]
        received_events = [(await emil.assert_broadcast(topic, "new_msg")).payload for _ in range(100)]

    assert seqs == list(range(1, 101))
    assert [(message["seq"], message["body"]) for message in received_events] == [(n + 1, str(n)) for n in range(100)]


@pytest.mark.parametrize(
    ("payload", "reason", "field"),
    [
        ({}, "invalid_message", "body"),
        ({"body": ""}, "invalid_message", "body"),
        ({"body": 7}, "invalid_message", "body"),
        ({"body": None}, "invalid_message", "body"),
        ({"body": "x", "client_id": ""}, "invalid_message", "client_id"),
        ({"body": "x", "client_id": "c" * 129}, "invalid_message", "client_id"),
        ({"body": "x", "message_type": "No Spaces"}, "invalid_message", "message_type"),
        ({"body": "x", "reply_to": "not-an-id"}, "invalid_message", "reply_to"),
        ({"body": "x", "reply_to": "01936d3e-9c1f-7a54-8b53-2b8f1c0d9f10"}, "invalid_message", "reply_to"),
        ({"body": "x", "encryption_flag": True}, "invalid_encryption_metadata", "encryption_version"),
        ({"body": "x", "encryption_flag": "yes"}, "invalid_encryption_metadata", "encryption_flag"),
    ],
)
async def test_a_bad_message_is_refused_by_a_stable_code_that_names_the_field(
    app: RunningApp, payload: dict[str, object], reason: str, field: str
) -> None:
    topic = topic_of(app, "self")
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)

        refused = await maja.ask(topic, "new_msg", payload)

        assert (refused.status, refused.response["reason"]) == ("error", reason)
        assert refused.response["details"]["field"] == field
        assert (await maja.ask(topic, "new_msg", {"body": "still here"})).response["seq"] == 1


async def test_a_body_may_have_64_kib_and_not_a_byte_more(app: RunningApp) -> None:
    topic = topic_of(app, "self")
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)

        assert (await maja.ask(topic, "new_msg", {"body": "é" * 32768})).status == "ok"
        refused = await maja.ask(topic, "new_msg", {"body": "é" * 32768 + "x"})

    assert refused.response["reason"] == "message_too_large"


async def test_an_unknown_event_is_answered_and_the_channel_stays(app: RunningApp) -> None:
    topic = topic_of(app, "self")
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)

        refused = await maja.ask(topic, "explode", {})
        assert (refused.status, refused.response) == ("error", {"reason": "unmatched_event"})
        assert (await maja.ask(topic, "new_msg", {"body": "x"})).status == "ok"


async def test_typing_reaches_the_other_members_only_and_is_not_stored(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        await emil.join(topic)

        await maja.push(topic, "typing", {"typing": True})

        received_events = await emil.assert_broadcast(topic, "typing")
        assert received_events.payload == {
            "user_id": app.home.maja.user_id, "device_id": app.home.maja.device_id, "typing": True
        }  # fmt: skip
        await maja.refute_broadcast(topic, "typing")
        assert (await emil.ask(topic, "fetch", {})).response["messages"] == []


async def test_presence_shows_joins_and_leaves(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)
        await maja.assert_push(topic, "presence_state")
        async with app.connect(app.home.emil) as emil:
            await emil.join(topic)
            joins = (await maja.assert_broadcast(topic, "presence_diff", {"leaves": {}})).payload["joins"]
            while app.home.emil.user_id not in joins:
                joins = (await maja.assert_broadcast(topic, "presence_diff", {"leaves": {}})).payload["joins"]

        left = (await maja.assert_broadcast(topic, "presence_diff", {"joins": {}})).payload["leaves"]

    assert list(left) == [app.home.emil.user_id]
    assert left[app.home.emil.user_id]["metas"][0]["device_id"] == app.home.emil.device_id


# Coming back


async def test_a_rejoin_with_last_seq_returns_exactly_the_missed_messages(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)
        for n in range(5):
            await maja.ask(topic, "new_msg", {"body": str(n)})
        async with app.connect(app.home.emil) as emil:
            joined = await emil.join(topic, {"last_seq": 2})

    assert [message["seq"] for message in joined["messages"]] == [3, 4, 5]
    assert (joined["recovered"], joined["has_more"], joined["last_seq"]) == (True, False, 5)


async def test_more_than_200_missed_messages_come_in_pages_without_gap_or_repeat(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        for ref in [await maja.push(topic, "new_msg", {"body": str(n)}) for n in range(450)]:
            await maja.assert_reply(ref)
        page = await emil.join(topic, {"last_seq": 10})
        seqs = [message["seq"] for message in page["messages"]]
        assert (len(seqs), page["has_more"]) == (200, True)
        while page["has_more"]:
            page = (await emil.ask(topic, "fetch", {"after_seq": seqs[-1]})).response
            seqs += [message["seq"] for message in page["messages"]]

    assert seqs == list(range(11, 451))


async def test_large_messages_come_in_pages_that_fit_a_slow_line(app: RunningApp) -> None:
    topic = topic_of(app, "self")
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)
        for n in range(12):
            await maja.ask(topic, "new_msg", {"body": str(n % 10) * 65536})

        page = await maja.join(topic, {"last_seq": 0})
        seqs = [message["seq"] for message in page["messages"]]
        assert (len(seqs), page["has_more"]) == (3, True)
        while page["has_more"]:
            page = (await maja.ask(topic, "fetch", {"after_seq": seqs[-1]})).response
            seqs += [message["seq"] for message in page["messages"]]
        newest = await maja.join(topic)

    assert seqs == list(range(1, 13))
    assert [message["seq"] for message in newest["messages"]] == [10, 11, 12]


@pytest.mark.parametrize("params", [{"last_seq": 99}, {"last_seq": 0, "epoch": "another"}])
async def test_a_client_with_another_epoch_is_told_to_start_over(app: RunningApp, params: dict[str, object]) -> None:
    topic = topic_of(app, "self")
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)
        await maja.ask(topic, "new_msg", {"body": "here"})

        joined = await maja.join(topic, params)

    assert joined["recovered"] is False
    assert [message["body"] for message in joined["messages"]] == ["here"]


@pytest.mark.parametrize("params", [{"last_seq": -1}, {"last_seq": "1"}, {"last_seq": True}, {"epoch": 1}])
async def test_malformed_join_parameters_are_refused(app: RunningApp, params: dict[str, object]) -> None:
    async with app.connect(app.home.maja) as maja:
        refused = await maja.join(topic_of(app, "self"), params, status="error")

    assert refused["reason"] == "invalid_message"


async def test_nothing_is_lost_or_doubled_by_joining_while_others_talk(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        refs = [await maja.push(topic, "new_msg", {"body": str(n)}) for n in range(20)]
        joining = asyncio.create_task(emil.join(topic, {"last_seq": 0}))
        refs += [await maja.push(topic, "new_msg", {"body": str(n)}) for n in range(20, 60)]
        for ref in refs:
            await maja.assert_reply(ref)
        joined = await joining
        seqs = [message["seq"] for message in joined["messages"]]
        while seqs[-1:] != [60]:
            seqs.append((await emil.assert_broadcast(topic, "new_msg")).payload["seq"])

    assert seqs == list(range(1, 61))


async def test_a_join_reads_again_if_another_one_under_way_has_read_more(
    app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Any] = []
    joined = TopicFeeds.joined

    def read(*args: Any, **options: Any) -> Any:
        reads.append(resume(*args, **options))
        return reads[-1]

    def joined_later(feeds: TopicFeeds, topic: str, seq: int, change: int) -> bool:
        joined(feeds, topic, seq + 1, change)  # the other join
        return joined(feeds, topic, seq, change)

    monkeypatch.setattr("famichat.actions.conversations.resume", read)
    monkeypatch.setattr(TopicFeeds, "joined", joined_later)
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic_of(app, "direct"))

    assert len(reads) == 2


# Acknowledging: story 7.5.2


async def test_an_acknowledgement_is_stored_broadcast_and_only_moves_forward(
    app: RunningApp, emitted: list[Event]
) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        await emil.join(topic)
        sent = [(await maja.ask(topic, "new_msg", {"body": str(n)})).response for n in range(3)]

        assert (await emil.ask(topic, "message_ack", {"seq": 2, "status": "delivered"})).response == {}
        status = {"user_id": app.home.emil.user_id, "device_id": app.home.emil.device_id, "device_kind": None}
        await maja.assert_broadcast(topic, "message_status", {**status, "status": "delivered", "seq": 2})
        assert (await emil.ask(topic, "message_ack", {"seq": 1})).status == "ok"
        await maja.refute_broadcast(topic, "message_status")
        assert (
            await emil.ask(topic, "message_ack", {"message_id": sent[2]["message_id"], "status": "read"})
        ).status == "ok"
        await maja.assert_broadcast(topic, "message_status", {**status, "status": "read", "seq": 3})

        (receipt,) = (await maja.join(topic))["receipts"]
        assert receipt == {**status, "delivered_seq": 3, "read_seq": 3}
    moved = [(event.seq, event.status, event.moved) for event in emitted if isinstance(event, MessageAcknowledged)]
    assert moved == [(2, "delivered", True), (1, "delivered", False), (3, "read", True)]


async def test_receipts_contain_the_device_kind_but_not_the_device_name(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    sign_in = {"username": "emil", "password": PASSWORD, "device_name": "Emil's secret", "device_kind": "tablet"}
    async with app.http() as http:
        session = (await http.post("/sessions", json=sign_in)).raise_for_status().json()
    tablet = ChannelClient.connect(f"{app.url}/socket", token=session["access_token"])
    async with app.connect(app.home.maja) as maja, tablet as emil:
        await maja.join(topic)
        await emil.join(topic)
        await maja.ask(topic, "new_msg", {"body": "for the tablet"})
        await emil.ask(topic, "message_ack", {"seq": 1})

        reported = await maja.assert_broadcast(topic, "message_status", {"device_kind": "tablet", "seq": 1})
        (receipt,) = (await maja.join(topic))["receipts"]

    assert set(reported.payload) == {"conversation_id", "user_id", "device_id", "device_kind", "status", "seq"}
    assert (receipt["device_id"], receipt["device_kind"]) == (session["device_id"], "tablet")
    assert "name" not in receipt


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"seq": 0},
        {"seq": 2},
        {"seq": -1},
        {"seq": 1.5},
        {"seq": 1, "status": "eaten"},
        {"seq": 1, "message_id": "x"},
        {"message_id": 5},
    ],
)
async def test_an_acknowledgement_of_a_missing_message_is_refused(app: RunningApp, payload: dict[str, object]) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)
        await maja.ask(topic, "new_msg", {"body": "only one"})

        assert (await maja.ask(topic, "message_ack", payload)).response["reason"] == "invalid_message"


async def test_an_acknowledgement_for_a_message_of_another_conversation_is_not_found(app: RunningApp) -> None:
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic_of(app, "self"))
        await maja.join(topic_of(app, "direct"))
        noted = (await maja.ask(topic_of(app, "self"), "new_msg", {"body": "mine"})).response

        refused = await maja.ask(topic_of(app, "direct"), "message_ack", {"message_id": noted["message_id"]})

    assert refused.response == {"reason": "not_found"}


async def test_unread_counts_reach_the_own_devices(app: RunningApp) -> None:
    topic = topic_of(app, "direct")
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        await emil.join(topic)
        mine = f"user:{app.home.emil.user_id}"
        await emil.join(mine)
        await emil.join(f"user:{app.home.maja.user_id}", status="error")

        await maja.ask(topic, "new_msg", {"body": "one"})
        await emil.assert_push(mine, "unread", {"conversation_id": app.talks.direct, "last_seq": 1, "unread": 1})
        await emil.ask(topic, "message_ack", {"seq": 1, "status": "read"})
        await emil.assert_push(mine, "unread", {"conversation_id": app.talks.direct, "unread": 0})


async def test_a_message_over_the_budget_is_sent_all_the_same_and_warned_of(
    app: RunningApp, emitted: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("famichat.actions.events.broadcast_report.BUDGET_SECONDS", 0.0)
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic_of(app, "direct"))
        ref = await maja.push(topic_of(app, "direct"), "new_msg", {"body": "late"})
        await maja.assert_reply(ref, "ok")
        await maja.assert_broadcast(topic_of(app, "direct"), "new_msg", {"body": "late"})

    (warning,) = of(BroadcastOverBudget, emitted)
    assert warning.level == "warning"
