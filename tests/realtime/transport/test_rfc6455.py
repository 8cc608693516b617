"""RFC 6455 conformance: sections 1 to 7 of the Autobahn test suite, on a real server over plain TCP."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator

import pytest

from tests.support.raw_websocket import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    RawFrame,
    RawWebSocket,
    encode,
    raw_websocket,
)
from tests.support.room import home

PATH = "/socket/websocket?vsn=2.0.0"
JOIN = b'["1","1","room:1","phx_join",{}]'


@pytest.fixture
async def raw() -> AsyncIterator[RawWebSocket]:
    async with home() as served, raw_websocket(served.server.host, served.server.port, PATH) as line:
        line.send(TEXT, JOIN)
        await line.frame()
        yield line


def echo(text: str) -> bytes:
    return json.dumps(["1", "2", "room:1", "echo", {"text": text}], ensure_ascii=False).encode()


def binary_echo(data: bytes) -> bytes:
    return bytes([0, 1, 1, 6, 4]) + b"12room:1echo" + data


async def echoed(raw: RawWebSocket) -> str:
    frame = await raw.frame()
    assert frame.opcode == TEXT, frame
    text: str = json.loads(frame.data)[4]["response"]["text"]
    return text


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, 1_000_000])
async def test_1_1_text_of_any_size_comes_back(raw: RawWebSocket, size: int) -> None:
    raw.send(TEXT, echo("*" * size))

    assert await echoed(raw) == "*" * size


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, 1_000_000])
async def test_1_2_bytes_of_any_size_come_back(raw: RawWebSocket, size: int) -> None:
    raw.send(BINARY, binary_echo(b"\xfe" * size))
    frame = await raw.frame()

    assert frame.opcode == BINARY
    assert frame.data == b"\x01\x01\x01\x06\x02" + b"12room:1ok" + b"\xfe" * size


@pytest.mark.parametrize("chop", [1, 7, 1000])
async def test_1_3_it_does_not_matter_how_tcp_cuts_a_frame(raw: RawWebSocket, chop: int) -> None:
    data = encode(TEXT, echo("*" * 500))
    for start in range(0, len(data), chop):
        raw.write(data[start : start + chop])
        await raw.writer.drain()
        await asyncio.sleep(0)

    assert await echoed(raw) == "*" * 500


@pytest.mark.parametrize("payload", [b"", b"hello", bytes(range(125)), b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"])
async def test_2_1_to_2_4_a_ping_is_answered_with_its_payload(raw: RawWebSocket, payload: bytes) -> None:
    raw.send(PING, payload)

    assert await raw.frame() == RawFrame(PONG, payload)


async def test_2_5_a_ping_over_125_bytes_is_a_protocol_error(raw: RawWebSocket) -> None:
    raw.send(PING, b"x" * 126)
    await raw.assert_closed(1002)


async def test_2_7_to_2_9_an_unsolicited_pong_is_ignored(raw: RawWebSocket) -> None:
    raw.send(PONG)
    raw.send(PONG, b"unsolicited")
    raw.send(PING, b"ping")

    assert await raw.frame() == RawFrame(PONG, b"ping")


async def test_2_10_ten_pings_are_answered_in_order(raw: RawWebSocket) -> None:
    for number in range(10):
        raw.send(PING, b"%d" % number)

    assert [(await raw.frame()).data for _ in range(10)] == [b"%d" % number for number in range(10)]


@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
async def test_3_a_reserved_bit_is_a_protocol_error(raw: RawWebSocket, rsv: int, opcode: int) -> None:
    raw.send(opcode, b"" if opcode == CLOSE else b"x", rsv=rsv)
    await raw.assert_closed(1002)


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_4_a_reserved_opcode_is_a_protocol_error(raw: RawWebSocket, opcode: int) -> None:
    raw.send(opcode, b"x")
    await raw.assert_closed(1002)


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
async def test_5_1_and_5_2_a_fragmented_control_frame_is_a_protocol_error(raw: RawWebSocket, opcode: int) -> None:
    raw.send(opcode, b"", fin=False)
    await raw.assert_closed(1002)


async def test_5_3_to_5_8_a_fragmented_message_is_put_together_around_pings(raw: RawWebSocket) -> None:
    message = echo("fragmented")
    raw.send(TEXT, message[:10], fin=False)
    raw.send(PING, b"between")
    raw.send(CONT, message[10:20], fin=False)
    raw.send(CONT, b"", fin=False)
    raw.send(CONT, message[20:])

    assert await raw.frame() == RawFrame(PONG, b"between")
    assert await echoed(raw) == "fragmented"


@pytest.mark.parametrize("fin", [True, False])
async def test_5_9_to_5_14_a_continuation_of_nothing_is_a_protocol_error(raw: RawWebSocket, *, fin: bool) -> None:
    raw.send(CONT, b"x", fin=fin)
    await raw.assert_closed(1002)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_5_15_to_5_18_a_new_message_inside_another_is_a_protocol_error(raw: RawWebSocket, opcode: int) -> None:
    raw.send(TEXT, b"x", fin=False)
    raw.send(opcode, b"x")
    await raw.assert_closed(1002)


VALID_TEXT = ["κόσμε", "", "Hello-µ@ßöäüàá-UTF-8!!", "߿", "ࠀ", "￿", "𐀀", "\U0010ffff", "\ud7ff\ue000", "�"]


@pytest.mark.parametrize("text", VALID_TEXT)
async def test_6_valid_utf8_comes_back_also_cut_between_its_bytes(raw: RawWebSocket, text: str) -> None:
    message = echo(text)
    for position, byte in enumerate(message):
        raw.send(CONT if position else TEXT, bytes([byte]), fin=position == len(message) - 1)

    assert await echoed(raw) == text


INVALID_UTF8 = [
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xf7\xbf\xbf\xbf",
    b"\x80",
    b"\xbf",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xc1\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xce",
    b"\xe2\x82",
]


@pytest.mark.parametrize("data", INVALID_UTF8)
@pytest.mark.parametrize("fragmented", [False, True])
async def test_6_invalid_utf8_is_closed_with_1007(raw: RawWebSocket, data: bytes, *, fragmented: bool) -> None:
    if fragmented:
        raw.send(TEXT, data[:1], fin=False)
        raw.send(CONT, data[1:])
    else:
        raw.send(TEXT, data)
    await raw.assert_closed(1007)


async def test_7_1_1_a_close_is_answered_after_what_came_before_it(raw: RawWebSocket) -> None:
    raw.send(PING, b"last")
    raw.send(CLOSE, struct.pack("!H", 1000))

    assert await raw.frame() == RawFrame(PONG, b"last")
    assert await raw.frame() == RawFrame(CLOSE, struct.pack("!H", 1000))
    await raw.assert_eof()


async def test_7_1_2_to_7_1_6_nothing_after_a_close_is_answered(raw: RawWebSocket) -> None:
    raw.send(CLOSE, struct.pack("!H", 1000))
    raw.send(CLOSE, struct.pack("!H", 1000))
    raw.send(PING, b"too late")
    raw.send(TEXT, echo("too late" * 10_000))

    assert (await raw.frame()).close_code == 1000
    await raw.assert_eof()


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"", b""),
        (struct.pack("!H", 1000) + b"Hello World!", struct.pack("!H", 1000) + b"Hello World!"),
        (struct.pack("!H", 1000) + b"*" * 123, struct.pack("!H", 1000) + b"*" * 123),
    ],
)
async def test_7_3_a_close_may_have_a_code_and_a_reason(raw: RawWebSocket, data: bytes, answer: bytes) -> None:
    raw.send(CLOSE, data)

    assert await raw.frame() == RawFrame(CLOSE, answer)
    await raw.assert_eof()


@pytest.mark.parametrize("data", [b"\x03", struct.pack("!H", 1000) + b"*" * 124])
async def test_7_3_a_close_of_one_byte_or_over_125_is_a_protocol_error(raw: RawWebSocket, data: bytes) -> None:
    raw.send(CLOSE, data)
    await raw.assert_closed(1002)


async def test_7_5_a_close_reason_that_is_not_utf8_is_closed_with_1007(raw: RawWebSocket) -> None:
    raw.send(CLOSE, struct.pack("!H", 1000) + b"\xce\xba\xed\xa0\x80")
    await raw.assert_closed(1007)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
async def test_7_7_valid_close_codes_are_echoed(raw: RawWebSocket, code: int) -> None:
    raw.send(CLOSE, struct.pack("!H", code))

    assert (await raw.frame()).close_code == code
    await raw.assert_eof()


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535])
async def test_7_9_and_7_13_invalid_close_codes_are_a_protocol_error(raw: RawWebSocket, code: int) -> None:
    raw.send(CLOSE, struct.pack("!H", code))
    await raw.assert_closed(1002)


async def test_5_1_of_the_rfc_an_unmasked_frame_is_a_protocol_error(raw: RawWebSocket) -> None:
    raw.send(TEXT, echo("x"), mask=False)
    await raw.assert_closed(1002)


async def test_a_lost_connection_is_cleaned_up() -> None:
    async with home() as served:
        async with raw_websocket(served.server.host, served.server.port, PATH) as line:
            line.send(TEXT, JOIN)
            await line.frame()
            line.writer.write_eof()
            await line.assert_eof()
        await served.until_connections(0)

        assert served.left == ["gone"]
