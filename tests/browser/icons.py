"""Draws the icons of the installed app from `web/public/favicon.svg`: `python -m tests.browser.icons`."""

import asyncio
import io
from typing import Final

from PIL import Image

from famichat.endpoint.pages.icons import ICONS
from tests.browser.household import ROOT, a_browser

PUBLIC: Final = ROOT / "web" / "public"
PNGS: Final = {name: icon for name, icon in ICONS.items() if name.endswith(".png")}


async def main() -> None:
    """Let a browser draw each size."""
    drawing = (PUBLIC / "favicon.svg").read_text()
    async with a_browser() as browser:
        for name, (size, share, background) in PNGS.items():
            page = await browser.new_page(viewport={"width": size, "height": size})
            await page.set_content(_page(drawing, share, background))
            drawn = await page.screenshot(omit_background=True)
            await page.close()
            with Image.open(io.BytesIO(drawn)) as image:
                # A palette halves the file, which every package contains. The colors differ only along the edges.
                image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
                    PUBLIC / name, optimize=True
                )


def _page(drawing: str, share: float, background: str) -> str:
    size = f"{share * 100}vmin"
    return (
        f"<style>body {{ margin: 0; display: grid; place-items: center; height: 100vh; background: {background} }}"
        f"svg {{ width: {size}; height: {size}; display: block }}</style>{drawing}"
    )


if __name__ == "__main__":
    asyncio.run(main())
