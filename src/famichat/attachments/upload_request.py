"""The request to upload a file, with its name made safe to display."""

import re
import unicodedata
from dataclasses import dataclass

from famichat.attachments.content_type import PLAIN
from famichat.chat.records.attachment import VideoShape

MAX_NAME = 255
MAX_WAVEFORM = 100
# Path separators, line breaks and other control characters, and bidi overrides that disguise a name as "gnp.exe".
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """Parameters of a new upload.

    Attributes:
        size: number of bytes that will follow.
        name: file name.
        sha256: hexadecimal checksum of the bytes, to be verified; optional.
        encrypted: whether the file is end-to-end encrypted; it is then not inspected.
        keep_metadata: whether a picture keeps its original bytes and metadata, including the location.
        duration_ms: length of a voice note in milliseconds.
        waveform: loudness of a voice note over time, values from 0 to 100.
        video: the shape of a video; ignored if the file turns out to be something else.
    """

    size: int
    name: str | None = None
    sha256: str | None = None
    encrypted: bool = False
    keep_metadata: bool = False
    duration_ms: int | None = None
    waveform: tuple[int, ...] | None = None
    video: VideoShape | None = None

    @property
    def content_type(self) -> str:
        """The content type until the file has been inspected."""
        return PLAIN

    @property
    def safe_name(self) -> str | None:
        """The name with `_` in place of unsafe characters; None if nothing is left."""
        if self.name is None:
            return None
        return _UNSAFE.sub("_", unicodedata.normalize("NFC", self.name)).strip(" .") or None
