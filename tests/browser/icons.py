"""Draws the icons of the installed app from `web/public/favicon.svg`: `python -m tests.browser.icons`."""

import asyncio
from typing import Final

from famichat.endpoint.pages.icons import DRAWN
from tests.browser.household import ROOT, a_browser

PUBLIC: Final = ROOT / "web" / "public"
PNGS: Final = {name: icon for name, icon in DRAWN.items() if name.endswith(".png")}


async def main() -> None:
    """Let a browser draw each size."""
    drawing = (PUBLIC / "favicon.svg").read_text()
    async with a_browser() as browser:
        for name, (edge, part, ground) in PNGS.items():
            page = await browser.new_page(viewport={"width": edge, "height": edge})
            await page.set_content(_page(drawing, part, ground))
            await page.screenshot(path=PUBLIC / name, omit_background=True)
            await page.close()


def _page(drawing: str, part: float, ground: str) -> str:
    edge = f"{part * 100}vmin"
    return (
        f"<style>body {{ margin: 0; display: grid; place-items: center; height: 100vh; background: {ground} }}"
        f"svg {{ width: {edge}; height: {edge}; display: block }}</style>{drawing}"
    )


if __name__ == "__main__":
    asyncio.run(main())
