"""Content type detection from a file's first bytes. Names and declared types are not trusted."""

import re

PLAIN = "application/octet-stream"
SNIFFED_BYTES = 64

SHOWN = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
"""Types served inline, with their Pillow format names. None of them can contain scripts."""
PICTURES = SHOWN | {"image/heic": "HEIF", "image/avif": "AVIF", "image/tiff": "TIFF"}
"""All picture types. Those not in `SHOWN` are converted to one that every browser displays."""

_STARTS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), content_type)
    for pattern, content_type in (
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"....ftyp(avif|avis|(mif1|msf1)....(....)*avif)", "image/avif"),
        (rb"....ftyp(heic|heix|hevc|hevx|heim|heis|mif1|msf1)", "image/heic"),
        (rb"II\*\0|MM\0\*", "image/tiff"),
        (rb"....ftyp(M4A |M4B )", "audio/mp4"),
        (rb"....ftyp", "video/mp4"),
        (rb"\x1aE\xdf\xa3", "video/webm"),
        (rb"OggS", "audio/ogg"),
        (rb"ID3|\xff[\xfb\xf3\xf2]", "audio/mpeg"),
        (rb"RIFF....WAVE", "audio/wav"),
        (rb"%PDF-", "application/pdf"),
    )
)

_FORMER_ENDING = re.compile(r"(?<=.)\.(heic|heif|hif|avif|tiff?)$", re.IGNORECASE)
_ENDINGS = {"image/jpeg": ".jpg", "image/webp": ".webp"}


def sniff(start: bytes) -> str:
    """Return the type of a file that starts with these bytes; `application/octet-stream` if unknown, e.g. HTML."""
    return next((content_type for begins, content_type in _STARTS if begins.match(start)), PLAIN)


def renamed(name: str, content_type: str) -> str:
    """Return the file name of a converted picture: `lake.heic` becomes `lake.jpg`."""
    return _FORMER_ENDING.sub("", name) + _ENDINGS[content_type]
