"""Removes metadata from JPEG and PNG files without decoding their pixels.

    new = without_metadata(data, "JPEG", orientation=6)

Used where re-encoding would exceed the memory limit or lose colour depth. Only the parts that a decoder needs are
copied, so unknown metadata and everything after the picture are removed too.
"""

import re
import struct
import zlib
from collections.abc import Iterator

# ITU-T T.81, table B.1: all SOF, DHT and DAC; EOI, SOS, DQT, DNL, DRI; and the application segments that decoders read.
_JPEG_TABLES = {*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD}
_EOI, _SOS, _APP0, _APP1, _APP2, _APP14 = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_JFIF_WITHOUT_THUMBNAIL, _ADOBE = 12, 12
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
# In entropy-coded data, FF precedes a stuffed zero byte, a restart marker, or a fill byte (FF again).
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_PNG_SIGNATURE = 8
# PNG 3rd edition: chunks for pixels, colours and animation.
_PNG_CHUNKS = {
    *(b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"acTL", b"fcTL", b"fdAT"),
    *(b"cHRM", b"cICP", b"gAMA", b"iCCP", b"mDCV", b"cLLI", b"sBIT", b"sRGB"),
}


def without_metadata(data: bytes, kind: str, orientation: int) -> bytes:
    """Return a JPEG or PNG without metadata, except its colour profile and EXIF orientation.

    Args:
        data: a file that a decoder has accepted. It may be truncated.
        kind: `JPEG` or `PNG`.
        orientation: EXIF orientation, from 1 to 8.
    """
    # A big-endian TIFF structure with one entry: Orientation (0x0112), of type SHORT.
    exif = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0) if orientation > 1 else b""
    return b"".join(_jpeg(data, exif) if kind == "JPEG" else _png(data, exif))


def _jpeg(data: bytes, exif: bytes) -> Iterator[bytes]:
    yield b"\xff\xd8"
    if exif:
        yield _segment(_APP1, b"Exif\0\0" + exif)
    place = 2
    while marker := _MARKER.search(data, place):
        code, place = marker[1][0], marker.end()
        if code == _EOI or place + 2 > len(data):
            break
        end = place + int.from_bytes(data[place : place + 2])
        content = data[place + 2 : end]
        if code == _APP0 and content.startswith(b"JFIF\0"):
            yield _segment(code, content[:_JFIF_WITHOUT_THUMBNAIL] + b"\0\0")
        elif code == _APP14 and content.startswith(b"Adobe"):
            yield _segment(code, content[:_ADOBE])
        elif code in _JPEG_TABLES or code == _SOS or (code == _APP2 and content.startswith(b"ICC_PROFILE\0")):
            yield _segment(code, content)
        place = end
        if code == _SOS:
            next_marker = _END_OF_SCAN.search(data, place)
            place = next_marker.start() if next_marker else len(data)
            yield data[end:place]
    yield b"\xff\xd9"


def _segment(code: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(content) + 2) + content


def _png(data: bytes, exif: bytes) -> Iterator[bytes]:
    yield data[:_PNG_SIGNATURE]
    place = _PNG_SIGNATURE
    while place + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        end = place + 12 + size
        if name in _PNG_CHUNKS:
            yield data[place:end] if end <= len(data) else _chunk(name, data[place + 8 :])
        if name == b"IHDR" and exif:
            yield _chunk(b"eXIf", exif)
        if name == b"IEND":
            break
        place = end
    yield _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
