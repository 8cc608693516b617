"""A server under another name, colour and logo."""

import json
import re
from pathlib import Path

import pytest

from famichat.endpoint.brand import Brand, Color, contrast
from famichat.endpoint.pages import LOGO_POLICY
from tests.support.app import RunningApp, running_app

PAPER: dict[str, Color] = {"day": (0xF8, 0xF2, 0xEA), "night": (0x1B, 0x17, 0x14)}


def colors(style: str) -> dict[str, tuple[Color, Color]]:
    found = re.findall(r"--([a-z-]+): light-dark\(#(\w{6}), #(\w{6})\);", style)
    return {name: (parsed(day), parsed(night)) for name, day, night in found}


def parsed(color: str) -> Color:
    red, green, blue = bytes.fromhex(color)
    return red, green, blue


@pytest.mark.parametrize("color", ["#ffff00", "#000000", "#ffffff", "#1b6ca8", "#A8461F", "#00ff00"])
def test_any_colour_can_be_read_by_day_and_by_night(color: str) -> None:
    made = colors(Brand(color=color).style)

    for time, ground in enumerate(PAPER.values()):
        accent, on_accent, soft = made["accent"][time], made["on-accent"][time], made["accent-soft"][time]
        assert contrast(accent, ground) >= 4.5
        assert contrast(accent, soft) >= 4.5
        assert contrast(on_accent, accent) >= 4.5


def test_a_colour_that_can_be_read_stays_what_it_is() -> None:
    assert colors(Brand(color="#1b4f8a").style)["accent"][0] == (0x1B, 0x4F, 0x8A)


def test_a_name_is_no_markup() -> None:
    page = Brand(name='<b>"A&B"').page(b"<title>Famichat</title></head>").decode()

    assert page.count("&lt;b&gt;&quot;A&amp;B&quot;") == 2
    assert "<b>" not in page


def test_without_wishes_a_page_stays_as_it_is() -> None:
    page = b"<title>Live events \xc2\xb7 Famichat</title></head>"

    assert Brand().page(page) == page
    assert Brand().style == ""


async def test_everything_that_is_shown_has_the_operators_look(database_url: str, tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    look = {"app_name": "Sundqvists", "app_color": "#1b6ca8", "app_logo": str(logo)}
    async with running_app(database_url, tmp_path, **look) as app, app.site() as site:
        page = (await site.get("/")).text
        style = await site.get("/brand.css")
        manifest = json.loads((await site.get("/manifest.webmanifest")).text)
        icon = await site.get("/favicon.svg")

    assert "<title>Sundqvists</title>" in page
    assert 'href="/brand.css"' in page
    assert (style.headers["content-type"].split(";")[0], "--accent" in style.text) == ("text/css", True)
    assert (manifest["name"], manifest["icons"][0]["src"]) == ("Sundqvists", "/favicon.svg")
    assert icon.text == logo.read_text()
    assert icon.headers["content-security-policy"] == LOGO_POLICY
    assert "sandbox" in LOGO_POLICY


@pytest.mark.asyncio(loop_scope="module")
async def test_our_own_look_is_one_too(shared_app: RunningApp) -> None:
    async with shared_app.site() as site:
        assert (await site.get("/brand.css")).text == ""
        assert json.loads((await site.get("/manifest.webmanifest")).text)["name"] == "Famichat"
