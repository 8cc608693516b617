"""What a server is called and looks like to people: the name, the colour and the logo that its operator chose.

brand = Brand(name="Sundqvists", color="#1b6ca8")
brand.page(html)       # a page under that name, and with the style sheet of that colour
brand.style            # the style sheet: the colour as it can be read by day and by night, and what goes with it
brand.picture(name)    # the logo, in the place of one of ours
"""

import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

OWN_NAME: Final = "Famichat"
STYLE_PATH: Final = "/brand.css"
PICTURES: Final = frozenset(
    {"favicon.svg", "icon-192.png", "icon-512.png", "icon-maskable-512.png", "apple-touch-icon.png"}
)
"""The files that show our logo."""
_SVG: Final = "image/svg+xml"
_PAPER_BY_DAY, _PAPER_BY_NIGHT = (0xF8, 0xF2, 0xEA), (0x1B, 0x17, 0x14)
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
# WCAG asks for 4.5; what lies on a tint of the colour, and not on paper, has a little less.
_CONTRAST_BY_DAY, _CONTRAST_BY_NIGHT = 5.5, 7.0

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Brand:
    """Name, colour (`#rrggbb`) and logo.

    Attributes:
        logo: an SVG picture, or one that the icons were drawn from.
        icons: what was drawn from a logo made of pixels, a PNG for each size.
    """

    name: str = OWN_NAME
    color: str | None = None
    logo: bytes | None = None
    icons: Mapping[str, bytes] = field(default_factory=dict)

    def page(self, page: bytes) -> bytes:
        """A page under this name, and in this colour."""
        text = page.decode()
        if self.name != OWN_NAME:
            name = html.escape(self.name)
            text = text.replace(f"<title>{OWN_NAME}</title>", f"<title>{name}</title>")
            text = text.replace(f"· {OWN_NAME}</title>", f"· {name}</title>").replace(
                f">{OWN_NAME} needs", f">{name} needs"
            )
            text = text.replace("</head>", f'<meta name="application-name" content="{name}" />\n  </head>')
        if self.icons:
            text = text.replace(f'type="{_SVG}" href="/favicon.svg"', 'href="/favicon.svg"')
        if self.color is not None:
            text = text.replace("</head>", f'<link rel="stylesheet" href="{STYLE_PATH}" />\n  </head>')
        return text.encode()

    def manifest(self, manifest: bytes) -> bytes:
        """What an installed app is called, and which picture it has."""
        told = json.loads(manifest) | {"name": self.name, "short_name": self.name}
        if self.logo is not None and not self.icons:
            told["icons"] = [{"src": "/favicon.svg", "sizes": "any", "type": _SVG, "purpose": "any"}]
        return json.dumps(told, ensure_ascii=False).encode()

    def picture(self, name: str) -> tuple[bytes, str] | None:
        """What to show in the place of one of `PICTURES`, and its type; None where it is ours.

        A drawing has no sizes: it is the same at each of these addresses, and who can show no SVG goes without.
        """
        if self.logo is None or name not in PICTURES:
            return None
        if not self.icons:
            return self.logo, _SVG
        return self.icons[name], "image/png"

    def worker(self, script: bytes) -> bytes:
        """The service worker, which keeps pictures and colours on the device: another one for another look."""
        if self == Brand():
            return script
        look = repr((self.name, self.color, self.logo)).encode()
        files = [] if self.color is None else [STYLE_PATH]
        brand = {"mark": hashlib.sha256(look).hexdigest()[:12], "files": files}
        return f"self.brand = {json.dumps(brand)};\n".encode() + script

    @property
    def style(self) -> str:
        """A style sheet that puts the colour in the place of ours; empty if there is none."""
        if self.color is None:
            return ""
        chosen = _parsed(self.color)
        by_day = _readable(chosen, _PAPER_BY_DAY, _BLACK, _CONTRAST_BY_DAY)
        by_night = _readable(chosen, _PAPER_BY_NIGHT, _WHITE, _CONTRAST_BY_NIGHT)
        pairs = {
            "accent": (by_day, by_night),
            "on-accent": (_WHITE, _mixed(by_night, _BLACK, 0.85)),
            "accent-soft": (_mixed(_PAPER_BY_DAY, by_day, 0.1), _mixed(_PAPER_BY_NIGHT, by_night, 0.2)),
            "mine": (_mixed(_PAPER_BY_DAY, by_day, 0.1), _mixed(_PAPER_BY_NIGHT, by_night, 0.2)),
            "chosen": (_mixed(_PAPER_BY_DAY, by_day, 0.06), _mixed(_PAPER_BY_NIGHT, by_night, 0.12)),
        }
        lines = [f"  --{name}: light-dark({_hex(day)}, {_hex(night)});" for name, (day, night) in pairs.items()]
        return "\n".join([":root:root {", *lines, "}", ""])


def contrast(one: Color, other: Color) -> float:
    """How well one colour can be read on another, as WCAG 2.2 counts it: from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _readable(color: Color, ground: Color, towards: Color, enough: float) -> Color:
    steps = (_mixed(color, towards, step / 20) for step in range(21))
    return next(each for each in steps if contrast(each, ground) >= enough)


def _luminance(color: Color) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - WCAG 2.2
        for part in (value / 255 for value in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(one: Color, other: Color, part: float) -> Color:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _parsed(color: str) -> Color:
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def _hex(color: Color) -> str:
    return f"#{bytes(color).hex()}"
