"""The icons of the installed app, drawn from an operator's logo that is made of pixels.

icons(Path("logo.png").read_bytes())["icon-192.png"]    # a PNG of 192 by 192
"""

import io
from typing import Final, NamedTuple

from PIL import Image, ImageColor, ImageOps


class Icon(NamedTuple):
    """One of them: its edge, the part of it that the logo takes, and what is behind that."""

    edge: int
    part: float
    ground: str


_PAPER: Final = "#f8f2ea"
_NOTHING: Final = "#00000000"
# A maskable icon may be cut to a circle of four fifths of its edge.
DRAWN: Final = {
    "favicon.svg": Icon(192, 1.0, _NOTHING),  # whatever it is called
    "icon-192.png": Icon(192, 1.0, _NOTHING),
    "icon-512.png": Icon(512, 1.0, _NOTHING),
    "icon-maskable-512.png": Icon(512, 0.56, _PAPER),
    "apple-touch-icon.png": Icon(180, 0.72, _PAPER),
}


def icons(logo: bytes) -> dict[str, bytes]:
    """Draw all of them.

    Raises:
        OSError: the logo is damaged.
    """
    with Image.open(io.BytesIO(logo), formats=["PNG", "JPEG", "WEBP"]) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    return {name: _drawn(upright, icon) for name, icon in DRAWN.items()}


def _drawn(logo: Image.Image, icon: Icon) -> bytes:
    longest = round(icon.edge * icon.part)
    small = ImageOps.contain(logo, (longest, longest))
    whole = Image.new("RGBA", (icon.edge, icon.edge), ImageColor.getrgb(icon.ground))
    whole.alpha_composite(small, ((icon.edge - small.width) // 2, (icon.edge - small.height) // 2))
    made = io.BytesIO()
    whole.save(made, "PNG")
    return made.getvalue()
