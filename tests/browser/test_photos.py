"""Photos and files: attaching, sending, viewing, and resuming after interruptions."""

import asyncio
import base64
import os
import re
from typing import Final

import pytest
from playwright.async_api import FilePayload, Locator, Route, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import FILES_ARE_KEPT, Person, Server
from tests.support.photos import SECRETS, photo

pytestmark = pytest.mark.timeout(120)
PIECE = 512 * 1024


def file(name: str, kind: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": data}


# The photos and voice messages on this device, as base64.
_STORED_MEDIA = """async user => {
    const asked = indexedDB.open(`famichat.${user}.media`)
    await new Promise(done => (asked.onsuccess = done))
    const found = asked.result.transaction("blobs").objectStore("blobs").getAll()
    await new Promise(done => (found.onsuccess = done))
    asked.result.close()
    const bytes = await Promise.all(found.result.map(blob => blob.arrayBuffer()))
    return bytes.map(each => btoa(Array.from(new Uint8Array(each), byte => String.fromCharCode(byte)).join("")))
}"""


async def choose(who: Person, *files: FilePayload) -> None:
    await who.page.locator("input[type=file]").set_input_files(files)


def tray(who: Person) -> Locator:
    return who.page.get_by_role("list", name="Attached")


# Dispatches the paste or drop event of a browser with files.
_HANDED_OVER: Final = """(element, [event, named]) => {
    const files = new DataTransfer()
    for (const [name, type, letters] of named) {
        files.items.add(new File([Uint8Array.from(atob(letters), letter => letter.charCodeAt(0))], name, { type }))
    }
    const what = event === "paste" ? { clipboardData: files } : { dataTransfer: files }
    const kind = event === "paste" ? ClipboardEvent : DragEvent
    return element.dispatchEvent(new kind(event, { bubbles: true, cancelable: true, ...what }))
}"""


async def hand_over(target: Locator, event: str, *files: FilePayload) -> bool:
    """Paste or drop files; return whether the browser's default action is still allowed."""
    named = [(each["name"], each["mimeType"], base64.b64encode(each["buffer"]).decode()) for each in files]
    left: bool = await target.evaluate(_HANDED_OVER, [event, named])
    return left


async def test_pasted_and_dropped_files_are_attached_and_sent(of_the_family: SignedIn, demo: Server) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    await maja.page.get_by_label("Message to").fill("Both")
    assert await hand_over(maja.page.get_by_label("Message to"), "paste")  # pasted text is left to the browser
    assert await hand_over(maja.page.locator("body"), "drop")
    assert not await hand_over(
        maja.page.get_by_label("Message to"), "paste", file("pasted.png", "image/png", photo("image/png"))
    )
    await expect(tray(maja).get_by_role("img", name="Photo: pasted.png")).to_be_visible()
    assert not await hand_over(
        maja.page.locator("body"), "dragover", file("dropped.pdf", "application/pdf", b"%PDF-1.7")
    )
    assert not await hand_over(maja.page.locator("body"), "drop", file("dropped.pdf", "application/pdf", b"%PDF-1.7"))
    await expect(tray(maja).get_by_role("listitem")).to_have_count(2)
    await expect(maja.page.get_by_label("Message to")).to_have_value("Both")

    await maja.until(FILES_ARE_KEPT, [demo.user("maja")["id"], 2])
    await maja.page.reload()
    await expect(tray(maja).get_by_role("img", name="Photo: pasted.png")).to_be_visible()
    await maja.page.get_by_role("button", name="Send", exact=True).click()
    await expect(emil.messages().get_by_role("button", name="Photo: pasted.png")).to_be_visible()
    await expect(emil.messages().get_by_role("button", name="Save dropped.pdf")).to_be_visible()
    await expect(tray(maja)).to_have_count(0)


async def test_an_original_that_no_browser_here_shows_is_seen_small_and_saved_whole(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    data = photo("image/heic", (800, 600))
    await choose(maja, file("IMG_1.heic", "image/heic", data))
    await maja.page.get_by_label("Send original photos").check()
    await maja.page.get_by_role("button", name="Send", exact=True).click()

    await emil.messages().get_by_role("button", name="Photo: IMG_1.heic").click()
    large = emil.page.get_by_role("dialog").get_by_role("img", name="Photo: IMG_1.heic")
    await expect(large).to_have_js_property("naturalWidth", 480)
    async with emil.page.expect_download() as download:
        await emil.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    assert (await (await download.value).path()).read_bytes() == data


async def test_a_photo_is_seen_by_the_other_without_where_it_was_taken(demo: Server, of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    await choose(maja, file("lake.jpg", "image/jpeg", photo(size=(800, 600))))
    await expect(tray(maja).get_by_role("img", name="Photo: lake.jpg")).to_be_visible()
    await maja.say("Look!")

    seen = emil.messages().get_by_role("button", name="Photo: lake.jpg")
    await expect(seen).to_be_visible()
    await expect(emil.messages().get_by_text("Look!")).to_be_visible()
    small = seen.locator("img")
    await expect(small).to_have_js_property("naturalWidth", 480)
    await seen.click()
    large = emil.page.get_by_role("dialog").get_by_role("img", name="Photo: lake.jpg")
    await expect(large).to_have_js_property("naturalWidth", 600)

    stored = await emil.page.evaluate(_STORED_MEDIA, demo.user("emil")["id"])
    assert len(stored) == 2  # the photo and its thumbnail
    assert not [data for data in stored if SECRETS.search(base64.b64decode(data))]
    await emil.page.keyboard.press("Escape")
    await expect(emil.page.get_by_role("dialog")).to_be_hidden()

    emil.requests.clear()
    await emil.page.reload()
    await expect(small).to_have_js_property("naturalWidth", 480)
    assert not [url for url in emil.requests if "/files/" in url]  # it is loaded from the device


async def test_a_text_message_does_not_wait_for_a_large_upload(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    received = asyncio.Event()

    async def slowly(route: Route) -> None:
        if route.request.method == "PATCH":
            await received.wait()
        await route.continue_()

    await maja.context.route("**/api/v1/attachments/*", slowly)
    await choose(maja, file("film.bin", "application/octet-stream", os.urandom(PIECE)))
    await maja.say("The whole film")
    await maja.say("Call me when you have seen it")
    await expect(emil.messages().get_by_text("Call me when you have seen it")).to_be_visible()
    received.set()

    sent = emil.messages().locator("[data-entry]")
    await expect(sent.last).to_contain_text("The whole film")
    await expect(sent.last.get_by_role("button", name="film.bin")).to_be_visible()


async def test_an_interrupted_upload_resumes_after_a_reload(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    offsets: list[int] = []

    async def cut_the_second(route: Route) -> None:
        if route.request.method != "PATCH":
            await route.continue_()
            return
        offsets.append(int(route.request.headers["upload-offset"]))
        await (route.abort("connectionreset") if len(offsets) == 2 else route.continue_())

    await maja.context.route("**/api/v1/attachments/*", cut_the_second)
    await choose(maja, file("film.bin", "application/octet-stream", os.urandom(3 * PIECE)))
    await maja.page.get_by_role("button", name="Send", exact=True).click()
    await expect(maja.page.get_by_text("Waiting to send")).to_be_visible()
    async with maja.page.expect_request(lambda request: request.headers.get("upload-offset") == f"{PIECE}"):
        pass
    await maja.page.reload()

    saved = emil.messages().get_by_role("button", name="Save film.bin")
    await expect(saved).to_have_count(1)
    await expect(emil.messages().get_by_text("File", exact=True)).to_have_count(0)  # no generic label beside the type
    assert offsets == [0, PIECE, PIECE, 2 * PIECE]
    async with emil.page.expect_download() as download:
        await saved.click()
    assert (await (await download.value).path()).stat().st_size == 3 * PIECE


async def test_a_refused_file_shows_the_reason_and_can_be_sent_unchanged_or_removed(
    of_the_family: SignedIn,
) -> None:
    maja = await of_the_family("maja")
    await maja.open("Notes to self")
    damaged = file("x.heic", "image/heic", b"\0\0\0\x18ftypheic" + b"\0" * 99)
    for choice in ("Send original as a file (includes place and time)", "Delete"):
        await choose(maja, damaged)
        await maja.page.get_by_role("button", name="Send", exact=True).click()
        await expect(maja.page.get_by_text("The place can't be removed from this photo")).to_be_visible()
        await maja.page.get_by_role("button", name=choice).click()
        await expect(maja.page.get_by_text("The place can't be removed from this photo")).to_be_hidden()

    await expect(maja.messages().get_by_role("button", name="Save x.heic")).to_have_count(1)
    await expect(maja.messages().get_by_text("x.heic")).to_have_count(1)
    assert [reported for reported in maja.faults if "422" not in reported] == []
    assert len(maja.faults) == 2  # the browser logs both refused requests
    maja.faults.clear()


async def test_photos_chosen_together_are_a_grid_in_one_bubble_and_open_in_a_viewer(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    album = [file(f"{place}.jpg", "image/jpeg", photo(size=(600, 800))) for place in ("lake", "boat", "bun")]
    await choose(maja, *album)
    await maja.say("Summer")

    bubble = emil.messages().locator("[data-entry]").last
    tiles = bubble.get_by_role("button", name="from maja")
    await expect(tiles).to_have_count(3)
    boxes = [await tile.bounding_box() for tile in await tiles.all()]
    first, second, third = [box or pytest.fail("a tile is not shown") for box in boxes]
    assert first["width"] > second["width"]  # alone in its row
    assert second["y"] == third["y"] > first["y"]

    await tiles.nth(1).click()
    viewer = emil.page.get_by_role("dialog", name="Photos")
    await expect(viewer.get_by_role("img", name="Photo: boat.jpg")).to_be_visible()
    await expect(viewer.get_by_role("status")).to_contain_text("Photo 2 of 3")
    await expect(viewer.get_by_text("Summer")).to_be_visible()
    await emil.page.keyboard.press("ArrowRight")
    await expect(viewer.get_by_role("img", name="Photo: bun.jpg")).to_be_visible()
    await viewer.get_by_role("button", name="Previous photo").click()
    await expect(viewer.get_by_role("img", name="Photo: boat.jpg")).to_be_visible()
    async with emil.page.expect_download() as download:
        await emil.page.keyboard.press("s")
    assert (await download.value).suggested_filename == "boat.jpg"
    await emil.page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    await expect(tiles.nth(1)).to_be_focused()

    await tiles.nth(1).click()
    await expect(viewer).to_be_visible()
    await emil.page.go_back()  # on Android, a gesture
    await expect(viewer).to_be_hidden()
    await expect(tiles.nth(1)).to_be_visible()


async def test_the_zoom_button_enlarges_a_photo(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("Notes to self")
    await choose(maja, file("lake.jpg", "image/jpeg", photo(size=(800, 600))))
    await maja.page.get_by_role("button", name="Send", exact=True).click()
    await maja.messages().get_by_role("button", name="Photo: lake.jpg").click()
    large = maja.page.get_by_role("dialog").get_by_role("img", name="Photo: lake.jpg")
    await expect(large).to_have_js_property("complete", value=True)
    before = await large.bounding_box()
    await maja.page.get_by_role("dialog").get_by_role("button", name="Zoom").click()
    await maja.page.wait_for_function(
        "([image, width]) => image.getBoundingClientRect().width > 2 * width",
        arg=[await large.element_handle(), (before or {"width": 0})["width"]],
    )


# A video of a second, as base64.
_FILM: Final = """async () => {
    const canvas = document.createElement("canvas")
    const pen = canvas.getContext("2d")
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm" })
    const pieces = []
    recorder.ondataavailable = ({ data }) => pieces.push(data)
    const ended = new Promise(done => (recorder.onstop = done))
    recorder.start()
    for (let frame = 0; frame < 20; frame++) {
        pen.fillStyle = frame % 2 ? "teal" : "orange"
        pen.fillRect(0, 0, canvas.width, canvas.height)
        await new Promise(requestAnimationFrame)
    }
    recorder.stop()
    await ended
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer())
    return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""))
}"""


async def test_a_video_plays_in_its_bubble_and_is_loaded_only_then(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("Notes to self")
    film = base64.b64decode(await maja.page.evaluate(_FILM))
    await choose(maja, file("swim.webm", "video/webm", film))
    await maja.page.get_by_role("button", name="Send", exact=True).click()
    start = maja.messages().get_by_role("button", name="Play swim.webm")
    await expect(start.get_by_text(re.compile(r"^0:0[01] · "))).to_be_visible()
    await expect(start.locator("img")).to_have_js_property("naturalWidth", 300)  # a frame, made by the sender's device
    assert len([url for url in maja.requests if "/files/" in url]) == 1  # the frame
    async with maja.page.expect_response("**/files/*") as response:
        await start.click()
    assert (await response.value).status in (200, 206)
    await expect(maja.messages().locator("video")).to_have_js_property("error", value=None)
    await maja.page.wait_for_function("() => document.querySelector('video').currentTime > 0")
    await expect(maja.messages().get_by_role("button", name="Save swim.webm")).to_be_visible()


async def test_the_gallery_of_a_chat_shows_its_photos_and_files_and_leads_to_links(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("Notes to self")
    pictures = [file(f"{place}.jpg", "image/jpeg", photo()) for place in ("lake", "boat")]
    await choose(maja, *pictures, file("plan.pdf", "application/pdf", b"%PDF-1.7"))
    await maja.say("See https://example.org/bun")
    await expect(maja.messages().get_by_role("button", name="Save plan.pdf")).to_be_visible()
    await maja.page.get_by_role("button", name="Chat info").click()
    await maja.page.get_by_role("button", name="Media, files and links").click()
    gallery = maja.page.get_by_role("dialog", name="Media, files and links")
    await gallery.get_by_role("button", name="Photo 1 of").first.click()
    viewer = maja.page.get_by_role("dialog", name="Photos")
    await expect(viewer.get_by_role("img", name="Photo: lake.jpg")).to_be_visible()
    await maja.page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    await gallery.get_by_role("button", name="Files").click()
    await expect(gallery.get_by_role("button", name="Save plan.pdf")).to_be_visible()
    await gallery.get_by_role("button", name="Links").click()
    await expect(gallery.get_by_role("link", name="https://example.org/bun")).to_be_visible()
    await gallery.get_by_role("button", name="Show in chat").first.click()
    await expect(gallery).to_be_hidden()
    await expect(maja.messages().get_by_text("See https://example.org/bun")).to_be_in_viewport()


async def test_a_video_in_an_album_plays_in_the_viewer(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("Notes to self")
    film = base64.b64decode(await maja.page.evaluate(_FILM))
    await choose(maja, file("lake.jpg", "image/jpeg", photo()), file("swim.webm", "video/webm", film))
    await expect(tray(maja).get_by_role("img")).to_have_count(2)
    await maja.page.get_by_role("button", name="Send", exact=True).click()
    await expect(maja.messages().get_by_role("button", name="Photo 1 of 2")).to_be_visible()
    await maja.messages().get_by_role("button", name="Play swim.webm").click()
    viewer = maja.page.get_by_role("dialog", name="Photos")
    await expect(viewer.get_by_role("status")).to_contain_text("Photo 2 of 2")
    await maja.page.wait_for_function("() => document.querySelector('dialog video')?.currentTime > 0")
    await viewer.get_by_role("button", name="Previous photo").click()
    await expect(viewer.get_by_role("img", name="Photo: lake.jpg")).to_be_visible()
    await viewer.get_by_role("button", name="Show in chat").click()
    await expect(viewer).to_be_hidden()
    await expect(maja.messages().get_by_role("button", name="Photo 1 of 2")).to_be_in_viewport()
