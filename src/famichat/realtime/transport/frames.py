"""The WebSocket frames that every message consists of (RFC 6455, section 5.2), read and built without generators.

`websockets` parses and builds every kind of frame. For a whole text frame, and for an unfragmented frame of the server,
that takes several times longer than these two functions.
"""

import struct
from typing import Final

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C if the platform has it

_TEXT, _BINARY = 0x81, 0x82  # the last fragment, no extension, and the opcode
_MASKED = 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_MASK_BYTES: Final = 4
_SHORTEST: Final = 2 + _MASK_BYTES


def read_text_frame(received: bytearray, max_bytes: int) -> tuple[bytes, int] | None:
    """Read the frame at the start of a client's bytes, if it is a whole, unfragmented text frame.

    Args:
        received: the bytes.
        max_bytes: the largest payload.

    Returns:
        the payload and the size of the frame; None for incomplete frames, those over 64 KiB or over the limit, all
        other kinds and invalid ones.
    """
    if len(received) < _SHORTEST or received[0] != _TEXT:
        return None
    size, start = received[1] - _MASKED, _SHORTEST
    if size == _TWO_BYTES:
        size, start = int.from_bytes(received[2:4]), _SHORTEST + 2
    elif not 0 <= size < _TWO_BYTES:  # not masked, or eight bytes of size
        return None
    end = start + size
    if len(received) < end or size > max_bytes:
        return None
    return apply_mask(received[start:end], received[start - _MASK_BYTES : start]), end


def build_frame(payload: bytes, *, binary: bool) -> bytes:
    """Build an unfragmented frame of the server, which is not masked."""
    first, size = _BINARY if binary else _TEXT, len(payload)
    if size < _TWO_BYTES:
        header = bytes((first, size))
    elif size < 1 << 16:
        header = struct.pack("!BBH", first, _TWO_BYTES, size)
    else:
        header = struct.pack("!BBQ", first, _EIGHT_BYTES, size)
    return header + payload
