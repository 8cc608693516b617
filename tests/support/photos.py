"""Photos like those of phones: rotated, with location and maker in the metadata."""

import functools
import io
import re
import struct
import zlib
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw, PngImagePlugin
from PIL.ExifTags import GPS, IFD, Base

from famichat.attachments.content_type import PICTURES

pillow_heif.register_heif_opener()

MAKER = "Hasselblad"
SECRETS = re.compile(b"Exif|GPS|Hasselblad|xmpmeta")


def photo(content_type: str = "image/jpeg", size: tuple[int, int] = (160, 120)) -> bytes:
    """A picture of this type, `size` as the sensor saw it, taken with the camera on its side."""
    image = Image.new("RGB", size, "#88aacc")
    ImageDraw.Draw(image).ellipse((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill="#dd5533")
    exif = image.getexif()
    exif[Base.Orientation] = 6
    exif[Base.Make] = MAKER
    exif.get_ifd(IFD.GPSInfo).update({GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (59.0, 19.0, 46.0)})
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", MAKER)
    xmp = f"<x:xmpmeta>{MAKER}</x:xmpmeta>".encode()
    hidden: dict[str, dict[str, Any]] = {
        "image/gif": {"comment": MAKER.encode()},
        "image/png": {"pnginfo": text, "exif": exif},
        "image/heic": {"exif": exif.tobytes(), "xmp": xmp},
        "image/tiff": {"exif": exif, "tiffinfo": {Base.Orientation: 6, Base.Make: MAKER, Base.XMLPacket: xmp}},
    }
    data = io.BytesIO()
    image.save(data, PICTURES[content_type], **hidden.get(content_type, {"exif": exif, "xmp": xmp}))
    return data.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def large_jpeg(width: int, rows: int) -> bytes:
    """A grey JPEG of `rows` times 16 lines, assembled from one row of encoded blocks that restart markers repeat."""
    row = io.BytesIO()
    Image.new("RGB", (width, 16), "#808080").save(row, "JPEG", restart_marker_rows=1)
    data = row.getvalue()
    size, scan = data.index(b"\xff\xc0") + 5, data.index(b"\xff\xda")
    scan += 2 + int.from_bytes(data[scan + 2 : scan + 4])
    header = data[:size] + struct.pack(">H", 16 * rows) + data[size + 2 : scan]
    return header + b"".join(data[scan:-2] + bytes((0xFF, 0xD0 + n % 8)) for n in range(rows))[:-2] + b"\xff\xd9"


@functools.cache
def bomb() -> bytes:
    """A PNG of 50,000 x 50,000 white pixels in some 400 kB, assembled from compressed blocks that repeat."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)
    rows = (b"\0" + b"\xff" * 6250) * 1000
    compressor = zlib.compressobj(9, wbits=-15)  # raw deflate (RFC 1951): the zlib format has one checksum for all
    block = compressor.compress(rows) + compressor.flush(zlib.Z_FULL_FLUSH)
    checksum = 1
    for _ in range(50):
        checksum = zlib.adler32(rows, checksum)
    data = b"\x78\xda" + 50 * block + compressor.flush() + struct.pack(">I", checksum)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def pretending(content_type: str, size: tuple[int, int], really: tuple[int, int]) -> bytes:
    """A HEIC, AVIF or TIFF whose header names another size than that of the picture in it."""
    data = photo(content_type, really)
    if content_type == "image/tiff":
        for tag, old, new in zip((256, 257), really, size, strict=True):
            data = data.replace(struct.pack("<HHII", tag, 4, 1, old), struct.pack("<HHII", tag, 4, 1, new))
        return data
    return data.replace(b"ispe" + struct.pack(">III", 0, *really), b"ispe" + struct.pack(">III", 0, *size))
