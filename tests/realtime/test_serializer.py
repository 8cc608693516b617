import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.realtime.message import Broadcast, Message, Push, Reply, error, ok
from famichat.realtime.serializer import (
    V1,
    V2,
    BinaryUnsupportedError,
    FieldTooLongError,
    MalformedFrameError,
    Serializer,
    negotiate,
)


@pytest.mark.parametrize(
    ("vsn", "serializer"),
    [
        (None, V1),
        ("1.0.0", V1),
        ("1.0.7", V1),
        ("2.0.0", V2),
        ("2.0.9", V2),
        ("2.1.0", None),
        ("1.1.0", None),
        ("3.0.0", None),
        ("2", None),
        ("2.0", None),
        ("two", None),
        ("", None),
        ("2.0.0\n", None),
        ("2.0.\u0966", None),
    ],
)
def test_rule_3_the_version_selects_the_serializer(vsn: str | None, serializer: Serializer | None) -> None:
    assert negotiate(vsn) is serializer


def test_rule_9_extra_elements_are_ignored() -> None:
    assert V2.decode(b'["1","2","t","e",{},"more",7]', binary=False) == Message("1", "2", "t", "e", {})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'["1","2","t","e"]',
        b'"text"',
        b"null",
        b'["1","2",3,"e",{}]',
        b'["1","2","t",null,{}]',
        b'[true,"2","t","e",{}]',
        b'["1",1.5,"t","e",{}]',
        b'["1",[],"t","e",{}]',
        b'["1","2","t","e",{}',
        rb'["1","2","t","e",{"a":"\ud800"}]',
        b'["1","2","t","e",{"a":1e400}]',
        b'["1","2","t","e",' + b"[" * 5000 + b"]" * 5000 + b"]",
        b"\xff\xfe",
    ],
)
def test_rule_37_an_invalid_version_2_frame_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        V2.decode(data, binary=False)


@pytest.mark.parametrize(
    "frame",
    [
        {"topic": "t", "event": "e", "payload": {}},
        {"topic": "t", "event": "e", "ref": "1"},
        {"topic": "t", "payload": {}, "ref": "1"},
        {"event": "e", "payload": {}, "ref": "1"},
        {"topic": 1, "event": "e", "payload": {}, "ref": "1"},
        [None, "1", "t", "e", {}],
    ],
)
def test_rule_12_a_version_1_frame_without_its_keys_is_malformed(frame: object) -> None:
    with pytest.raises(MalformedFrameError):
        V1.decode(json.dumps(frame).encode(), binary=False)


@pytest.mark.parametrize("ref", [10, "10", None, 0, "", -1])
def test_rule_11_refs_are_echoed_verbatim_type_included(ref: str | int | None) -> None:
    message = V2.decode(json.dumps([ref, ref, "t", "e", {}]).encode(), binary=False)
    echoed = json.loads(V2.encode(Reply(message.join_ref, message.ref, "t", ok())).data)

    assert echoed[:2] == [ref, ref]
    assert type(echoed[0]) is type(ref)


def test_rule_12_version_1_honours_a_join_ref_that_is_there() -> None:
    with_ref = b'{"topic":"t","event":"e","payload":{},"ref":"2","join_ref":"1"}'
    without = b'{"topic":"t","event":"e","payload":{},"ref":null}'

    assert V1.decode(with_ref, binary=False) == Message("1", "2", "t", "e", {})
    assert V1.decode(without, binary=False) == Message(None, None, "t", "e", {})


def test_rule_12_version_1_sends_exactly_four_keys() -> None:
    frames = (
        Reply("1", "2", "t", ok({"a": 1})),
        Push("1", "t", "e", {}),
        Broadcast("t", "e", {}),
        Message("1", "1", "t", "phx_close", {}),
    )
    sent = [json.loads(V1.encode(frame).data) for frame in frames]

    assert all(sorted(frame) == ["event", "payload", "ref", "topic"] for frame in sent)
    assert [frame["ref"] for frame in sent] == ["2", None, None, "1"]
    assert sent[0]["payload"] == {"status": "ok", "response": {"a": 1}}


def test_rules_26_27_and_28_version_2_sends_exactly_five_elements() -> None:
    assert V2.encode(Reply("1", "2", "t", error("no"))).data == (
        b'["1","2","t","phx_reply",{"status":"error","response":{"reason":"no"}}]'
    )
    assert V2.encode(Push("1", "t", "e", {"a": 1})).data == b'["1",null,"t","e",{"a":1}]'
    assert V2.encode(Broadcast("t", "e", {})).data == b'[null,null,"t","e",{}]'
    assert V2.encode(Message("1", "1", "t", "phx_close", {})).data == b'["1","1","t","phx_close",{}]'


def test_rule_14_version_2_text_is_compact_and_unescaped() -> None:
    assert V2.encode(Broadcast("t", "e", {"a": "é/😀"})).data == '[null,null,"t","e",{"a":"é/😀"}]'.encode()


def test_rule_15_a_binary_reply_is_framed_as_phoenix_does() -> None:
    frame = V2.encode(Reply("12", "123", "topic", ok(bytes([101, 102, 103]))))

    assert frame.binary
    assert frame.data == b"\x01\x02\x03\x05\x02" + b"12" + b"123" + b"topic" + b"ok" + b"\x65\x66\x67"


def test_rule_15_a_binary_push_carries_no_ref() -> None:
    frame = V2.encode(Push("12", "topic", "event", bytes([101, 102, 103])))

    assert frame.data == b"\x00\x02\x05\x05" + b"12" + b"topic" + b"event" + b"\x65\x66\x67"


def test_rule_15_a_binary_broadcast_carries_no_refs() -> None:
    frame = V2.encode(Broadcast("topic", "event", bytes([101, 102, 103])))

    assert frame.data == b"\x02\x05\x05" + b"topic" + b"event" + b"\x65\x66\x67"


def test_rule_15_a_clients_binary_push_is_read() -> None:
    data = b"\x00\x02\x03\x05\x05" + b"12" + b"123" + b"topic" + b"event" + b"\x65\x66\x67"

    assert V2.decode(data, binary=True) == Message("12", "123", "topic", "event", b"\x65\x66\x67")


def test_rule_15_null_has_size_0_and_sizes_count_bytes() -> None:
    data = bytes([0, 0, 0, 2, 2]) + "éß".encode()

    assert V2.decode(data, binary=True) == Message(None, None, "é", "ß", b"")
    assert V2.encode(Push(None, "é", "e", b"")).data == bytes([0, 0, 2, 1]) + "ée".encode()


def test_rule_15_a_field_over_255_bytes_is_refused() -> None:
    assert V2.encode(Broadcast("t" * 255, "e", b"")).binary
    with pytest.raises(FieldTooLongError):
        V2.encode(Broadcast("é" * 128, "e", b""))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x01\x01\x01",
        b"\x00\x02\x03\x05\x05" + b"12123topiceven",
        b"\x01\x00\x00\x01\x01te",
        b"\x02\x00\x00\x01\x01te",
        b"\x00\x00\x00\x01\x01\xffe",
        b"\x00\x00\x00\x01\x01\x00e",
        b'["1","2","t","e",{}]',
    ],
)
def test_rule_37_an_invalid_binary_frame_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        V2.decode(data, binary=True)


def test_rule_17_version_1_carries_no_binary() -> None:
    for frame in (Reply("1", "2", "t", ok(b"x")), Push("1", "t", "e", b"x"), Broadcast("t", "e", b"x")):
        with pytest.raises(BinaryUnsupportedError):
            V1.encode(frame)
    with pytest.raises(MalformedFrameError):
        V1.decode(b'{"topic":"t","event":"e","payload":{},"ref":null}', binary=True)


def test_rule_10_a_payload_from_the_server_is_an_object() -> None:
    for serializer in (V1, V2):
        with pytest.raises(TypeError):
            serializer.encode(Broadcast("t", "e", ["no object"]))  # type: ignore[arg-type] # the mistake to catch


@given(st.binary(max_size=200))
def test_decoding_raises_nothing_but_malformed_frame(data: bytes) -> None:
    for serializer in (V1, V2):
        for binary in (False, True):
            with contextlib.suppress(MalformedFrameError):
                serializer.decode(data, binary=binary)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(_json, max_size=7) | _json)
def test_decoding_any_json_gives_a_message_or_malformed_frame(value: object) -> None:
    with contextlib.suppress(MalformedFrameError):
        message = V2.decode(json.dumps(value).encode(), binary=False)

        assert isinstance(message.topic, str)
        assert isinstance(message.event, str)
        assert V2.encode(Reply(message.join_ref, message.ref, message.topic, ok())).data
