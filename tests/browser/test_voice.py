"""Voice notes: recording, preview and playback."""

import asyncio
import re
from typing import Any, Final

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import SignedIn
from tests.browser.gestures import held
from tests.browser.household import ASK_AXE, AXE, FILES_ARE_KEPT, Person, Server

pytestmark = pytest.mark.timeout(120)
# Records the progress of every player, and how many play at once; sets the playback rate, so that there is time to
# press something else.
PLAYERS: Final = """rate => {
    Object.assign(window, { players: [], furthest: [], together: 0 })
    const play = HTMLMediaElement.prototype.play
    HTMLMediaElement.prototype.play = function () {
        if (!players.includes(this)) {
            const number = players.push(this) - 1
            this.playbackRate = rate
            furthest[number] = 0
            this.addEventListener("timeupdate", () => {
                furthest[number] = Math.max(furthest[number], this.currentTime)
                together = Math.max(together, players.filter(player => !player.paused).length)
            })
        }
        return play.call(this)
    }
}"""


async def record(who: Person, seconds: float = 2) -> None:
    """Record from the microphone for this many seconds."""
    await who.page.get_by_role("button", name="Record a voice message").click()
    await with_messages(who.page, seconds)
    await who.page.get_by_role("button", name="Stop recording").click()


async def with_messages(page: Page, seconds: float) -> None:
    await page.wait_for_function(
        """seconds => {
            const [minutes, rest] = (document.querySelector("[role=timer]")?.textContent ?? "0:00").split(":")
            return 60 * Number(minutes) + Number(rest) >= seconds
        }""",
        arg=seconds,
    )


def tray(who: Person) -> Locator:
    return who.page.get_by_role("list", name="Attached")


def note(region: Locator) -> Locator:
    return region.get_by_role("group", name="Voice message")


async def seconds_of(voice: Locator) -> float:
    """Return the displayed length of a voice note."""
    return float(await voice.get_by_role("slider").get_attribute("max") or 0) / 1000


async def shape(voice: Locator) -> list[float]:
    heights: list[Any] = await voice.locator("rect").evaluate_all("all => all.map(each => each.getAttribute('height'))")
    return [float(height) for height in heights]


async def test_the_recipient_can_play_a_voice_note(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.context.add_init_script(f"({PLAYERS})(1)")
    await emil.page.reload()
    await maja.open("emil")
    await emil.open("maja")
    await record(maja)
    await expect(note(tray(maja))).to_be_visible()
    long = await seconds_of(note(tray(maja)))
    assert 1.4 < long < 6
    await maja.page.get_by_role("button", name="Send", exact=True).click()

    received = note(emil.messages())
    await expect(received).to_be_visible()
    await expect(emil.messages().get_by_text("Voice message", exact=True)).to_have_count(0)
    assert await seconds_of(received) == pytest.approx(long, abs=0.002)
    bars = await shape(received)
    assert len(bars) == 64
    assert max(bars) == 100
    assert not [url for url in emil.requests if "/files/" in url]  # nothing is loaded before playback

    await received.get_by_role("button", name="Play").click()
    await emil.page.wait_for_function("long => furthest[0] > long - 0.5", arg=long)
    assert await emil.page.evaluate("() => players[0].duration") == pytest.approx(long, abs=0.3)
    await expect(received.get_by_role("button", name="Play")).to_be_visible()  # it played to the end
    await expect(received.get_by_role("slider")).to_have_value("0")


async def test_the_keys_seek_and_only_one_note_plays(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.context.add_init_script(f"({PLAYERS})(0.2)")
    await maja.page.reload()
    await maja.open("Notes to self")
    for count, seconds in ((1, 3), (2, 2)):
        await record(maja, seconds)
        await expect(note(tray(maja))).to_be_visible()
        await maja.page.get_by_role("button", name="Send", exact=True).click()
        await expect(note(maja.messages())).to_have_count(count)
        await expect(maja.page.get_by_text("Waiting to send")).to_have_count(0)
    first, second = note(maja.messages()).first, note(maja.messages()).last

    await first.get_by_role("button", name="Play").focus()
    await maja.page.keyboard.press("Tab")
    await maja.page.keyboard.press("PageUp")
    await maja.page.keyboard.press("PageUp")
    at = float(await first.get_by_role("slider").input_value())
    assert at > 100
    spoken_of = await first.get_by_role("slider").get_attribute("aria-valuetext")
    assert re.fullmatch(r"0:0[01] of 0:0\d", spoken_of or "")
    await expect(first.locator("rect.heard").first).to_be_attached()
    await maja.page.keyboard.press("Shift+Tab")
    await maja.page.keyboard.press("Space")
    await maja.page.wait_for_function("at => furthest[0] > at", arg=at / 1000)
    await second.get_by_role("button", name="Play").click()
    await maja.page.wait_for_function("() => furthest[1] > 0")

    assert await maja.page.evaluate("() => together") == 1
    await expect(first.get_by_role("button", name="Play")).to_be_visible()
    assert float(await first.get_by_role("slider").input_value()) >= at  # its position when the other note started
    assert await grave(maja.page) == []


async def test_a_note_recorded_offline_survives_a_reload_and_is_sent_later(
    of_the_family: SignedIn, demo: Server
) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.open("maja")
    await maja.open("emil")
    await record(maja)
    await maja.until(FILES_ARE_KEPT, [demo.user("maja")["id"], 1])
    await maja.page.reload()
    await expect(note(tray(maja))).to_be_visible()
    await expect(note(maja.messages())).to_have_count(0)
    await maja.context.set_offline(True)
    await record(maja, 1)
    await expect(note(tray(maja))).to_have_count(2)
    await maja.page.get_by_role("button", name="Send", exact=True).click()
    await expect(maja.page.get_by_text("Waiting to send")).to_be_visible()
    await expect(note(maja.messages())).to_have_count(2)
    await expect(tray(maja)).to_have_count(0)

    await maja.context.set_offline(False)
    await expect(note(emil.messages())).to_have_count(2)
    await expect(maja.page.get_by_text("Waiting to send")).to_have_count(0)
    await expect(note(maja.messages())).to_have_count(2)


async def test_a_recording_that_a_reload_interrupts_is_ready_to_play_and_send(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.context.add_init_script(f"({PLAYERS})(1)")
    await maja.page.reload()
    await maja.open("Notes to self")
    await maja.page.get_by_role("button", name="Record a voice message").click()
    await with_messages(maja.page, 3)
    await maja.page.reload()
    await expect(note(tray(maja))).to_be_visible()
    assert 1.4 < await seconds_of(note(tray(maja))) < 6
    await note(tray(maja)).get_by_role("button", name="Play").click()
    await maja.page.wait_for_function("() => furthest[0] > 0.5")
    await maja.page.get_by_role("button", name="Remove Voice message").click()
    await expect(tray(maja)).to_have_count(0)
    await maja.page.reload()
    await expect(maja.page.get_by_label("Message to")).to_be_visible()
    await expect(tray(maja)).to_have_count(0)


async def grave(page: Page) -> list[Any]:
    """Return the accessibility violations."""
    await page.evaluate(await asyncio.to_thread(AXE.read_text))
    found: list[Any] = await page.evaluate(ASK_AXE, {})
    return found


async def test_a_voice_note_that_reaches_the_limit_stops_and_can_be_sent(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("Notes to self")
    await maja.page.clock.install()
    await maja.page.get_by_role("button", name="Record a voice message").click()
    await expect(maja.page.get_by_role("timer")).to_be_visible()
    await maja.page.clock.run_for(2_000)
    assert await grave(maja.page) == []
    await maja.page.clock.fast_forward(15 * 60_000)

    ended = maja.page.get_by_role("status").filter(has_text="Voice messages can be up to 15:00.")
    await expect(ended).to_be_visible()
    assert await seconds_of(note(tray(maja))) >= 15 * 60
    assert await grave(maja.page) == []
    await maja.page.get_by_role("button", name="Remove Voice message").click()
    await expect(tray(maja)).to_have_count(0)


async def test_a_discarded_note_is_deleted_and_any_other_is_restored(of_the_family: SignedIn, demo: Server) -> None:
    maja = await of_the_family("maja", viewport={"width": 1280, "height": 800})
    await maja.open("Notes to self")
    await maja.page.get_by_role("button", name="Record a voice message").click()
    await with_messages(maja.page, 1)
    await maja.page.get_by_role("button", name="Discard recording").click()
    await expect(maja.page.get_by_label("Message to")).to_be_visible()
    await expect(tray(maja)).to_have_count(0)
    await expect(maja.page.get_by_role("button", name="Send", exact=True)).to_have_count(0)

    await maja.page.get_by_role("button", name="Record a voice message").click()
    await with_messages(maja.page, 1)
    await maja.open("emil")
    await expect(tray(maja)).to_have_count(0)
    await maja.open("Notes to self")
    await expect(note(tray(maja))).to_be_visible()

    await maja.page.get_by_role("button", name="Remove Voice message").click()
    await expect(tray(maja)).to_have_count(0)
    await maja.until(FILES_ARE_KEPT, [demo.user("maja")["id"], 0])
    assert not [url for url in maja.requests if "/attachments" in url]  # no one else has received it

    await maja.page.evaluate("""() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"))
    }""")
    await maja.page.get_by_role("button", name="Record a voice message").click()
    await expect(maja.page.get_by_role("alert")).to_contain_text("The microphone is blocked for Famichat")
    await expect(maja.page.get_by_label("Message to")).to_be_visible()


async def test_a_voice_note_plays_on_in_another_chat_at_the_chosen_speed(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("Notes to self")
    await record(maja, 4)
    await maja.page.get_by_role("button", name="Send", exact=True).click()
    sent = note(maja.messages())
    speed = sent.get_by_role("button", name="Speed")
    await speed.click()
    await expect(speed).to_have_accessible_name(re.compile("1.5"))
    await sent.get_by_role("button", name="Play").click()
    await maja.open("emil")
    bar = maja.page.get_by_role("region", name="Voice message from You")
    await bar.get_by_role("button", name="Pause").click()
    await expect(bar.get_by_role("button", name="Play,")).to_be_visible()
    await bar.get_by_role("button", name="Stop playing").click()
    await expect(bar).to_be_hidden()


async def test_a_voice_note_is_recorded_while_a_finger_holds_the_button(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    await maja.open("Notes to self")
    button = maja.page.get_by_role("button", name="Record a voice message")
    async with held(maja, button):
        await with_messages(maja.page, 1)
        await expect(maja.page.get_by_text("Slide to cancel")).to_be_visible()
    await expect(note(maja.messages())).to_have_count(1)
    await expect(tray(maja)).to_have_count(0)

    async with held(maja, button) as move:
        await with_messages(maja.page, 1)
        await move(-120, 0)
        await expect(maja.page.get_by_label("Message to")).to_be_visible()
    await expect(button).to_be_visible()
    await expect(tray(maja)).to_have_count(0)

    async with held(maja, button) as move:
        await maja.page.get_by_role("timer").wait_for()
        await move(0, -90)
        await expect(maja.page.get_by_role("button", name="Stop recording")).to_be_visible()
    await with_messages(maja.page, 1)
    await maja.page.get_by_role("group", name="Recording").get_by_role("button", name="Send").click()
    await expect(note(maja.messages())).to_have_count(2)
