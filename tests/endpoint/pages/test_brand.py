"""A server with a custom name, colour and logo."""

import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from famichat.endpoint.pages.brand import LOGO_FILES, Brand, Color, contrast
from famichat.endpoint.pages.icons import ICONS, draw_icons
from famichat.endpoint.pages.pages import LOGO_POLICY
from tests.support.app import RunningApp, running_app
from tests.support.photos import photo

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
        for_phones = await site.get("/apple-touch-icon.png")
        worker = await site.get("/worker.js")

    assert "<title>Sundqvists</title>" in page
    assert 'href="/brand.css"' in page
    assert (style.headers["content-type"].split(";")[0], "--accent" in style.text) == ("text/css", True)
    assert (manifest["name"], manifest["icons"][0]["src"]) == ("Sundqvists", "/favicon.svg")
    for picture in (icon, for_phones):
        assert picture.text == logo.read_text()
        assert picture.headers["content-type"].startswith("image/svg+xml")
        assert picture.headers["content-security-policy"] == LOGO_POLICY
    assert worker.text.startswith("self.brand = ")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert "sandbox" in LOGO_POLICY


def test_a_logo_of_pixels_becomes_every_icon_that_a_browser_asks_for() -> None:
    made = draw_icons(photo("image/png", (300, 900)))
    brand = Brand(logo=b"a photo", icons=made)
    manifest = json.loads(brand.manifest(b'{"icons": ["ours"]}'))
    page = brand.page(b'<link rel="icon" type="image/svg+xml" href="/favicon.svg" /></head>').decode()

    assert set(made) == LOGO_FILES
    for name, icon in made.items():
        drawn = Image.open(io.BytesIO(icon))
        assert drawn.format == "PNG"
        assert drawn.size == (ICONS[name].size, ICONS[name].size)
        assert brand.logo_file(name) == (icon, "image/png")
    middle, edge = [Image.open(io.BytesIO(made["icon-192.png"])).getpixel((96, down)) for down in (96, 4)]
    assert isinstance(middle, tuple)
    assert isinstance(edge, tuple)
    assert (middle[3], edge[3]) == (255, 0)  # the wide logo keeps its proportions, and the rest is transparent
    assert manifest["icons"] == ["ours"]
    assert page == '<link rel="icon" href="/favicon.svg" /></head>'


def test_a_drawn_logo_is_the_same_in_every_size() -> None:
    brand = Brand(logo=b"<svg/>")

    assert {brand.logo_file(name) for name in LOGO_FILES} == {(b"<svg/>", "image/svg+xml")}
    assert brand.logo_file("worker.js") is None
    assert Brand().logo_file("favicon.svg") is None


def test_another_look_is_another_service_worker_which_keeps_it() -> None:
    ours, named = Brand().worker(b"run()"), Brand(name="</script>Å").worker(b"run()")
    looks = [Brand(color="#1b6ca8"), Brand(color="#1b6ca9"), Brand(logo=b"<svg/>"), Brand(logo=b"<svg />")]

    assert ours == b"run()"
    assert re.fullmatch(rb'self\.brand = {"mark": "[0-9a-f]{12}", "files": \[\]};\nrun\(\)', named)
    assert len({each.worker(b"run()") for each in looks}) == len(looks)
    assert b'"files": ["/brand.css"]' in looks[0].worker(b"run()")


@pytest.mark.asyncio(loop_scope="module")
async def test_our_own_look_is_one_too(shared_app: RunningApp) -> None:
    async with shared_app.site() as site:
        assert (await site.get("/brand.css")).text == ""
        assert (await site.get("/apple-touch-icon.png")).headers["content-type"] == "image/png"
        assert not (await site.get("/worker.js")).text.startswith("self.brand")
        assert json.loads((await site.get("/manifest.webmanifest")).text)["name"] == "Famichat"
