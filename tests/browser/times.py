"""Measures what the user of a browser waits for, on an idle machine: `.venv/bin/python -m tests.browser.times`.

The conversation has 100,000 messages. Prints the median, the 95th percentile and the maximum in milliseconds.
`test_measured.py` gates what the load of the machine does not change.
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Page, expect

from tests.browser.household import Person, Server, a_browser, someone
from tests.browser.much import answer, say_much

MESSAGES: Final = 100_000
KEYS: Final = 60
SENT: Final = 40
ARRIVING: Final = 100
ARRIVING_EVERY: Final = 0.05  # seconds
SLOWDOWN: Final = 4
WHEEL_TURNS: Final = 150
WHEEL_PX: Final = 400

# Notes the time from each key press until the frame that shows it, and from Enter until the frame that shows a message
# of the form "measured-1", on the clock that all pages share.
_OBSERVE: Final = """() => {
    const now = event => performance.timeOrigin + (event?.timeStamp ?? performance.now())
    window.noted = { keys: [], enters: [], shown: {}, frames: [], tasks: [] }
    const painted = then => requestAnimationFrame(() => {
        const channel = new MessageChannel()
        channel.port1.onmessage = then
        channel.port2.postMessage(null)
    })
    addEventListener("keydown", event => {
        if (event.key === "Enter") window.noted.enters.push(now(event))
        else painted(() => window.noted.keys.push(now() - now(event)))
    }, { capture: true })
    const region = document.querySelector("[role=region]")
    new MutationObserver(() => {
        for (const [word] of region.innerText.matchAll(/measured-\\d+/g)) {
            if (word in window.noted.shown) continue
            window.noted.shown[word] = null
            painted(() => { window.noted.shown[word] = now() })
        }
    }).observe(region, { childList: true, subtree: true, characterData: true })
    let last = performance.now()
    const frame = () => {
        const at = performance.now()
        window.noted.frames.push(at - last)
        last = at
        requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
    new PerformanceObserver(list => {
        window.noted.tasks.push(...list.getEntries().map(each => each.duration))
    }).observe({ type: "longtask" })
}"""
_FORGET: Final = "() => { Object.assign(window.noted, { keys: [], enters: [], frames: [], tasks: [] }) }"


async def main() -> None:
    """Measure typing, sending, receiving and scrolling, at full speed and four times slower."""
    with tempfile.TemporaryDirectory() as directory:
        demo = Server(Path(directory) / "demo").start()
        demo.stop()
        await say_much(demo, "emil", [f"line {number}." for number in range(1, MESSAGES + 1)])
        demo.start()
        try:
            async with a_browser() as browser:
                maja, emil = [await _signed_in(demo, await someone(browser, demo.url), name) for name in _NAMES]
                for slowdown in (1, SLOWDOWN):
                    await _slow_down(maja.page, slowdown)
                    sys.stdout.write(f"{slowdown}x\n")
                    await _type(maja)
                    await _send(maja, emil, f"{slowdown}")
                    await _send_while_others_do(demo, maja, emil, f"{slowdown}0")
                    await _scroll(maja)
        finally:
            demo.stop()


_NAMES: Final = ("maja", "emil")


async def _signed_in(demo: Server, who: Person, name: str) -> Person:
    await who.sign_in(name, demo.user(name)["password"])
    await who.open(next(other for other in _NAMES if other != name))
    await expect(who.messages().locator("[data-entry]").last).to_be_visible()
    if await (latest := who.page.get_by_label("Jump to latest")).is_visible():
        await latest.click()
    await asyncio.sleep(5)  # what is loaded after the start
    await who.page.evaluate(_OBSERVE)
    return who


async def _slow_down(page: Page, factor: int) -> None:
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Emulation.setCPUThrottlingRate", {"rate": factor})


async def _type(who: Person) -> None:
    field = who.page.locator("textarea")
    await field.focus()
    await who.page.evaluate(_FORGET)
    for _ in range(KEYS):
        await who.page.keyboard.press("a")
        await asyncio.sleep(0.08)
    _print("key press to frame", await who.page.evaluate("window.noted.keys"))
    await field.fill("")


async def _send(who: Person, other: Person, prefix: str) -> None:
    words = [f"measured-{prefix}{number:04}" for number in range(SENT)]
    await who.page.evaluate(_FORGET)
    for word in words:
        await who.say(word)
        await other.page.wait_for_function("word => window.noted.shown[word]", arg=word)
    await _print_sent(who, other, words, "")


async def _send_while_others_do(demo: Server, who: Person, other: Person, prefix: str) -> None:
    words = [f"measured-{prefix}{number:04}" for number in range(10)]
    await who.page.evaluate(_FORGET)

    async def arrive() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(ARRIVING):
                group.create_task(answer(demo, other, None, f"arrives {number}"))
                await asyncio.sleep(ARRIVING_EVERY)

    arriving = asyncio.create_task(arrive())
    for word in words:
        await who.say(word)
        await asyncio.sleep(ARRIVING * ARRIVING_EVERY / len(words))
    await arriving
    await _print_sent(who, other, words, " while 20 messages a second arrive")
    _print("frames meanwhile", (await who.page.evaluate("window.noted.frames")))
    _print("tasks over 50 ms meanwhile", (await who.page.evaluate("window.noted.tasks")))


async def _scroll(who: Person) -> None:
    await who.messages().hover()
    await who.page.evaluate(_FORGET)
    for _ in range(WHEEL_TURNS):
        await who.page.mouse.wheel(0, -WHEEL_PX)
        await asyncio.sleep(0.03)
    _print("frames while scrolling back", await who.page.evaluate("window.noted.frames"))
    _print("tasks over 50 ms meanwhile", await who.page.evaluate("window.noted.tasks"))
    await who.page.get_by_label("Jump to latest").click()
    await asyncio.sleep(1)


async def _print_sent(who: Person, other: Person, words: list[str], when: str) -> None:
    for page in (who.page, other.page):
        await page.wait_for_function("words => words.every(word => window.noted.shown[word])", arg=words)
    entered: list[float] = (await who.page.evaluate("window.noted.enters"))[-len(words) :]
    for label, page in (("own screen", who.page), ("other browser", other.page)):
        shown: dict[str, float] = await page.evaluate("window.noted.shown")
        _print(f"Enter to {label}{when}", [shown[word] - at for word, at in zip(words, entered, strict=True)])


def _print(label: str, figures: list[float]) -> None:
    text = f"{len(figures)}"
    if len(figures) > 1:
        p95 = statistics.quantiles(figures, n=20, method="inclusive")[-1]
        text += f", median {statistics.median(figures):.0f} ms, 95 % {p95:.0f} ms, most {max(figures):.0f} ms"
    sys.stdout.write(f"  {label}: {text}\n")


if __name__ == "__main__":
    asyncio.run(main())
