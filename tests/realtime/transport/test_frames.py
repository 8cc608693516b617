"""Frames that are read and built without the library: it agrees about every one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from famichat.realtime.transport.frames import build_frame, read_text_frame

SIZES = [0, 1, 125, 126, 127, 65_535]


@pytest.mark.parametrize("size", [*SIZES, 65_536])
@pytest.mark.parametrize("binary", [False, True])
def test_a_frame_of_the_server_is_built_as_the_library_builds_it(size: int, *, binary: bool) -> None:
    opcode = Opcode.BINARY if binary else Opcode.TEXT

    assert build_frame(b"x" * size, binary=binary) == Frame(opcode, b"x" * size).serialize(mask=False)


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_text_frame_is_read_and_what_follows_is_left(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    frame = Frame(Opcode.TEXT, payload).serialize(mask=True)

    assert read_text_frame(bytearray(frame + b"\x81"), 65_536) == (payload, len(frame))


@given(cut=st.integers(0, 207))
def test_an_incomplete_frame_is_left_to_the_library(cut: int) -> None:
    frame = Frame(Opcode.TEXT, b"x" * 200).serialize(mask=True)

    assert len(frame) == 208
    assert read_text_frame(bytearray(frame[:cut]), 65_536) is None


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(Frame(Opcode.BINARY, b"x" * 10).serialize(mask=True), id="binary"),
        pytest.param(Frame(Opcode.PING, b"x" * 10).serialize(mask=True), id="control"),
        pytest.param(Frame(Opcode.TEXT, b"x" * 10, fin=False).serialize(mask=True), id="first fragment"),
        pytest.param(b"\xc1" + Frame(Opcode.TEXT, b"x" * 10).serialize(mask=True)[1:], id="extension"),
        pytest.param(Frame(Opcode.TEXT, b"x" * 10).serialize(mask=False), id="not masked"),
        pytest.param(Frame(Opcode.TEXT, b"x" * 126).serialize(mask=False), id="not masked, two bytes of size"),
        pytest.param(Frame(Opcode.TEXT, b"x" * 65_536).serialize(mask=True), id="eight bytes of size"),
        pytest.param(Frame(Opcode.TEXT, b"x" * 201).serialize(mask=True), id="over the limit"),
    ],
)
def test_every_other_frame_is_left_to_the_library(frame: bytes) -> None:
    assert read_text_frame(bytearray(frame), 200) is None
