"""What somebody says about a file before sending it, made safe to show to others."""

import re
import unicodedata
from dataclasses import dataclass

from famichat.attachments.content_type import PLAIN

MAX_NAME = 255
MAX_WAVEFORM = 100
# Separators of paths, line ends and other controls, and what turns the direction of reading around: "gnp.exe".
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """An upload that is about to begin.

    Attributes:
        size: how many bytes will come.
        name: what the file is called.
        sha256: the sum of these bytes, in hexadecimal, if the sender wants it checked.
        encrypted: whether only the members can read it; then it is not looked at.
        keep_metadata: whether a picture stays as it is, with all that it says about where it was taken.
        duration_ms: how long a voice note takes.
        waveform: how loud it is, from moment to moment, 0 to 100.
    """

    size: int
    name: str | None = None
    sha256: str | None = None
    encrypted: bool = False
    keep_metadata: bool = False
    duration_ms: int | None = None
    waveform: tuple[int, ...] | None = None

    @property
    def content_type(self) -> str:
        """What it is taken for until it has been looked at."""
        return PLAIN

    @property
    def safe_name(self) -> str | None:
        """The name, with a `_` for whatever could deceive a person or a program; None, if nothing is left of it."""
        if self.name is None:
            return None
        return _UNSAFE.sub("_", unicodedata.normalize("NFC", self.name)).strip(" .") or None
