"""Draws the app icons from an operator's bitmap logo.

draw_icons(Path("logo.png").read_bytes())["icon-192.png"]    # a PNG of 192 by 192 pixels
"""

import io
from typing import Final, NamedTuple

from PIL import Image, ImageColor, ImageOps


class Icon(NamedTuple):
    """How to draw one icon.

    Attributes:
        size: width and height in pixels.
        logo_share: the share of the width and height that the logo fills, up to 1.
        background: the background color as `#rrggbb` or `#rrggbbaa`.
    """

    size: int
    logo_share: float
    background: str


_BACKGROUND: Final = "#f8f2ea"
_TRANSPARENT: Final = "#00000000"
# A platform may crop a maskable icon to a circle with a diameter of 80 % of its width.
ICONS: Final = {
    "favicon.svg": Icon(192, 1.0, _TRANSPARENT),  # a PNG in spite of its name
    "icon-192.png": Icon(192, 1.0, _TRANSPARENT),
    "icon-512.png": Icon(512, 1.0, _TRANSPARENT),
    "icon-maskable-512.png": Icon(512, 0.56, _BACKGROUND),
    "apple-touch-icon.png": Icon(180, 0.72, _BACKGROUND),
}


def draw_icons(logo: bytes) -> dict[str, bytes]:
    """Draw all icons.

    Args:
        logo: a PNG, JPEG or WebP image.

    Returns:
        The PNG images by file name.

    Raises:
        OSError: the logo is damaged or has another format.
    """
    with Image.open(io.BytesIO(logo), formats=["PNG", "JPEG", "WEBP"]) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    return {name: _draw(upright, icon) for name, icon in ICONS.items()}


def _draw(logo: Image.Image, icon: Icon) -> bytes:
    max_size = round(icon.size * icon.logo_share)
    scaled = ImageOps.contain(logo, (max_size, max_size))
    image = Image.new("RGBA", (icon.size, icon.size), ImageColor.getrgb(icon.background))
    image.alpha_composite(scaled, ((icon.size - scaled.width) // 2, (icon.size - scaled.height) // 2))
    output = io.BytesIO()
    image.save(output, "PNG")
    return output.getvalue()
