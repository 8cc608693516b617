"""The reader's place in the history, while messages around it are fetched, drawn, decrypted and resized."""

import time
from typing import Final

import pytest
from playwright.async_api import Locator, Page, WebSocket, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Person, Server
from tests.browser.much import say_much

pytestmark = pytest.mark.timeout(120)
MESSAGES: Final = 640  # the client has the last 60 at first and fetches the others page by page
FETCHED: Final = 500
WHEEL_PX: Final = 480
ROUNDING_PX: Final = 1  # browsers round scroll positions to physical pixels
REST_FRAMES: Final = 120
SWIPE_PX: Final = 400
SWIPE_SECONDS: Final = 0.1
SWIPE_STEPS: Final = 8
FLINGS: Final = 3

# Records by how much the messages in sight moved down from one painted frame to the next; null if they are gone.
# An element that changes its size in each frame brings a measurement between the layout and the painting.
_RECORD_MOVES: Final = """region => {
    const boxOf = each => each.getBoundingClientRect()
    const inSight = () => {
        const { top } = boxOf(region)
        const found = [...region.querySelectorAll("[data-entry]")].find(each => boxOf(each).bottom > top)
        return { found, top: boxOf(found).top }
    }
    window.moves = []
    let before = inSight()
    const pulse = document.body.appendChild(document.createElement("div"))
    pulse.style.position = "fixed"
    new ResizeObserver(() => {
        window.moves.push(before.found.isConnected ? boxOf(before.found).top - before.top : null)
        before = inSight()
    }).observe(pulse)
    const frame = () => {
        pulse.style.width = pulse.style.width === "1px" ? "2px" : "1px"
        requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
}"""
# As the lines about the connection and a new version do.
_ADD_LINE_ABOVE: Final = """() => {
    const line = document.createElement("p")
    line.style.blockSize = "60px"
    document.querySelector(".screen").prepend(line)
}"""
_UNTIL_STILL: Final = """() => new Promise(done => {
    const wait = still => still > 10 ? done() : requestAnimationFrame(() => wait(window.moves.at(-1) ? 0 : still + 1))
    wait(0)
})"""
_FRAMES: Final = (
    "many => new Promise(done => { const next = () => many-- ? requestAnimationFrame(next) : done(); next() })"
)
# As a picture does whose size is not known before it is loaded.
_GROW_ABOVE: Final = """region => {
    const { top } = region.getBoundingClientRect()
    const above = [...region.querySelectorAll("[data-entry]")].filter(each => each.getBoundingClientRect().bottom < top)
    above.slice(-3).forEach(each => { each.style.paddingBlock = "150px" })
}"""


async def test_only_the_user_moves_the_messages_in_sight(demo: Server, of_the_family: SignedIn) -> None:
    demo.stop()
    await say_much(demo, "maja", [f"{number}. {_line(number)}" for number in range(1, MESSAGES + 1)])
    demo.start()
    maja = await of_the_family("maja", has_touch=True)
    fetches = _fetches(maja.page)
    await maja.open("emil")
    await expect(_message(maja, MESSAGES)).to_be_in_viewport()
    await maja.messages().hover()
    await maja.messages().evaluate(_RECORD_MOVES)

    turned = await _wheel(maja, -WHEEL_PX, until=_message(maja, MESSAGES - FETCHED))
    moves = await _moves(maja)
    assert min(moves) >= -ROUNDING_PX
    assert turned * 0.9 < sum(moves) <= turned + ROUNDING_PX  # less if the wheel was faster than the server
    await _rests(maja, fetches)

    await maja.messages().evaluate(_GROW_ABOVE)
    await _rests(maja, fetches, frames=3)
    await maja.page.evaluate(_ADD_LINE_ABOVE)
    await _rests(maja, fetches, frames=3)

    for _ in range(FLINGS):
        await _fling(maja)
        moves = await _moves(maja)
        assert max(moves) <= ROUNDING_PX
        assert sum(moves) < -SWIPE_PX  # with momentum


def _line(number: int) -> str:
    return "This line is long enough to be wrapped in some of the bubbles. " * (number * 7 % 4)


def _message(who: Person, number: int) -> Locator:
    return who.messages().get_by_text(f"{number}. ")


def _fetches(page: Page) -> list[str]:
    """Collect the requests for pages of messages."""
    sent: list[str] = []

    def note(frame: str | bytes) -> None:
        if isinstance(frame, str) and '"fetch"' in frame:
            sent.append(frame)

    def opened(connection: WebSocket) -> None:
        connection.on("framesent", note)

    page.on("websocket", opened)
    return sent


async def _moves(who: Person) -> list[float]:
    """Return how far the messages in sight moved down in each frame since the last call."""
    moves: list[float | None] = await who.page.evaluate("window.moves.splice(0)")
    assert None not in moves, "other messages are in sight"
    return [move for move in moves if move is not None]


async def _wheel(who: Person, pixels: int, *, until: Locator) -> int:
    """Turn the wheel until an element is in sight; return by how many pixels."""
    turned = 0
    while not await until.count() or not await until.is_visible():
        await who.page.mouse.wheel(0, pixels)
        await who.page.evaluate(_FRAMES, 2)
        turned += abs(pixels)
    return turned


async def _fling(who: Person) -> None:
    """Swipe upwards with a finger, and wait until the momentum is used up."""
    box = await who.messages().bounding_box()
    assert box is not None
    session = await who.context.new_cdp_session(who.page)
    finger = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] - 20}
    timestamp = time.time()

    async def touch(kind: str, *points: dict[str, float]) -> None:
        # The momentum depends on the timestamps, not on when a busy browser handles the events.
        event = {"type": kind, "touchPoints": points, "timestamp": timestamp}
        await session.send("Input.dispatchTouchEvent", event)

    await touch("touchStart", finger)
    for _ in range(SWIPE_STEPS):
        finger["y"] -= SWIPE_PX / SWIPE_STEPS
        timestamp += SWIPE_SECONDS / SWIPE_STEPS
        await touch("touchMove", finger)
    await touch("touchEnd")
    await session.detach()
    await who.page.evaluate(_UNTIL_STILL)


async def _rests(who: Person, fetches: list[str], frames: int = REST_FRAMES) -> None:
    """Assert that nothing moves and nothing is fetched."""
    await _moves(who)
    before = len(fetches)
    await who.page.evaluate(_FRAMES, frames)
    moves = await _moves(who)
    assert max(map(abs, moves)) <= ROUNDING_PX
    assert len(fetches) == before
