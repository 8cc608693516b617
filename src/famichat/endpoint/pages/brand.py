"""The branding of a server: the name, color and logo that its operator chose.

brand = Brand(name="Sundqvists", color="#1b6ca8")
brand.page(html)       # the page with that name and a link to the style sheet
brand.style            # the style sheet: theme colors with sufficient contrast in light and dark mode
brand.logo_file(name)  # the replacement for an icon file
"""

import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

DEFAULT_NAME: Final = "Famichat"
STYLE_PATH: Final = "/brand.css"
LOGO_FILES: Final = frozenset(
    {"favicon.svg", "icon-192.png", "icon-512.png", "icon-maskable-512.png", "apple-touch-icon.png"}
)
"""The icon files that an operator's logo replaces."""
_SVG: Final = "image/svg+xml"
_LIGHT_BACKGROUND, _DARK_BACKGROUND = (0xF8, 0xF2, 0xEA), (0x1B, 0x17, 0x14)
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
# WCAG 2.2 requires 4.5. The margin covers text on a tint of the color, which has less contrast than on the background.
_LIGHT_CONTRAST, _DARK_CONTRAST = 5.5, 7.0

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Brand:
    """The name, color and logo of a server.

    Attributes:
        name: the name of the app.
        color: the accent color as `#rrggbb`; None for the default.
        logo: an SVG image, or the bitmap that `icons` were drawn from; None for the default.
        icons: the PNG icons drawn from a bitmap logo, by file name; empty for an SVG logo.
    """

    name: str = DEFAULT_NAME
    color: str | None = None
    logo: bytes | None = None
    icons: Mapping[str, bytes] = field(default_factory=dict)

    def page(self, page: bytes) -> bytes:
        """Return an HTML page with this name and a link to the style sheet."""
        text = page.decode()
        if self.name != DEFAULT_NAME:
            name = html.escape(self.name)
            text = text.replace(f"<title>{DEFAULT_NAME}</title>", f"<title>{name}</title>")
            text = text.replace(f"· {DEFAULT_NAME}</title>", f"· {name}</title>").replace(
                f">{DEFAULT_NAME} needs", f">{name} needs"
            )
            text = text.replace("</head>", f'<meta name="application-name" content="{name}" />\n  </head>')
        if self.icons:
            text = text.replace(f'type="{_SVG}" href="/favicon.svg"', 'href="/favicon.svg"')
        if self.color is not None:
            text = text.replace("</head>", f'<link rel="stylesheet" href="{STYLE_PATH}" />\n  </head>')
        return text.encode()

    def manifest(self, manifest: bytes) -> bytes:
        """Return the web app manifest with this name and logo."""
        branded = json.loads(manifest) | {"name": self.name, "short_name": self.name}
        if self.logo is not None and not self.icons:
            branded["icons"] = [{"src": "/favicon.svg", "sizes": "any", "type": _SVG, "purpose": "any"}]
        return json.dumps(branded, ensure_ascii=False).encode()

    def logo_file(self, name: str) -> tuple[bytes, str] | None:
        """Return the content and content type of one of `LOGO_FILES`; None to use the default file.

        An SVG logo is returned for every file, at any size. Clients without SVG support show no logo.
        """
        if self.logo is None or name not in LOGO_FILES:
            return None
        if not self.icons:
            return self.logo, _SVG
        return self.icons[name], "image/png"

    def worker(self, script: bytes) -> bytes:
        """Return the service worker's script with a hash of the branding.

        The service worker caches icons and styles. If the branding changes, so does the script, and browsers update
        the cache.
        """
        if self == Brand():
            return script
        branding = repr((self.name, self.color, self.logo)).encode()
        files = [] if self.color is None else [STYLE_PATH]
        brand = {"mark": hashlib.sha256(branding).hexdigest()[:12], "files": files}
        return f"self.brand = {json.dumps(brand)};\n".encode() + script

    @property
    def style(self) -> str:
        """The style sheet that overrides the default accent color; empty if no color is set."""
        if self.color is None:
            return ""
        color = _parse(self.color)
        light = _readable(color, _LIGHT_BACKGROUND, _BLACK, _LIGHT_CONTRAST)
        dark = _readable(color, _DARK_BACKGROUND, _WHITE, _DARK_CONTRAST)
        pairs = {
            "accent": (light, dark),
            "on-accent": (_WHITE, _mix(dark, _BLACK, 0.85)),
            "accent-soft": (_mix(_LIGHT_BACKGROUND, light, 0.1), _mix(_DARK_BACKGROUND, dark, 0.2)),
            "mine": (_mix(_LIGHT_BACKGROUND, light, 0.1), _mix(_DARK_BACKGROUND, dark, 0.2)),
            "chosen": (_mix(_LIGHT_BACKGROUND, light, 0.06), _mix(_DARK_BACKGROUND, dark, 0.12)),
        }
        lines = [
            f"  --{name}: light-dark({_hex(light_color)}, {_hex(dark_color)});"
            for name, (light_color, dark_color) in pairs.items()
        ]
        return "\n".join([":root:root {", *lines, "}", ""])


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of two colors as defined by WCAG 2.2, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _readable(color: Color, background: Color, target: Color, min_contrast: float) -> Color:
    """Blend a color with `target` in steps of 5 % until it has enough contrast with the background."""
    steps = (_mix(color, target, step / 20) for step in range(21))
    return next(each for each in steps if contrast(each, background) >= min_contrast)


def _luminance(color: Color) -> float:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - WCAG 2.2
        for channel in (value / 255 for value in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(one: Color, other: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _parse(color: str) -> Color:
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def _hex(color: Color) -> str:
    return f"#{bytes(color).hex()}"
