"""A server is updated while pages of the old version are open: two builds of the client, one after the other."""

import asyncio
import gzip
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.household import ROOT, Person, Server

pytestmark = pytest.mark.timeout(120)

_HASHED = re.compile(r"(?<=[\w.]-)[\w-]{8}(?=\.(?:js|css|woff2)\b)")

# What a browser logs about a missing file, and about a page that may have no worker.
_EXPECTED = re.compile(r"status of 404|Refused to apply style|registration blocked by Playwright")


@pytest.fixture
def newer_release(tmp_path: Path) -> Iterator[Path]:
    """A copy of the package whose client has the same code, but other file names and another worker, as a new build.

    Its files are compressed with gzip only.
    """
    package = tmp_path / "release" / "famichat"
    shutil.copytree(
        ROOT / "src/famichat", package, ignore=shutil.ignore_patterns("__pycache__", "*.map", "*.br", "*.gz")
    )
    static = package / "static"
    names = {each.name: _HASHED.sub(_other_hash, each.name) for each in (static / "assets").iterdir()}
    for old, new in names.items():
        (static / "assets" / old).rename(static / "assets" / new)
    for each in (path for path in static.rglob("*") if path.suffix in {".html", ".js", ".css"}):
        text = each.read_text()
        for old, new in names.items():
            text = text.replace(old, new)
        each.write_text(text)
        if each.parent.name == "assets":
            each.with_name(f"{each.name}.gz").write_bytes(gzip.compress(each.read_bytes(), 1))
    worker = static / "worker.js"
    changed, count = re.subn(r"(?<=`)[0-9a-f]{12}(?=`)", lambda version: version[0][::-1], worker.read_text())
    assert count == 1
    worker.write_text(changed)
    yield package.parent
    shutil.rmtree(package.parent)


async def test_an_open_page_of_the_old_version_changes_to_the_new_one_and_keeps_its_draft(
    newer_release: Path, demo: Server, person: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_worker = await person(demo.url)
    without = await person(demo.url, service_workers="block")
    without.expected_faults = _EXPECTED
    for who, name in ((with_worker, "maja"), (without, "emil")):
        await who.sign_in(name, demo.user(name)["password"])
        await who.open("The whole family")
        await who.page.get_by_label("Message to").fill(f"Half a thought of {name}")
    await with_worker.page.evaluate("navigator.serviceWorker.ready")
    await _has_stored(with_worker, ROOT / "src/famichat/static", "br")
    old_script = await _script(with_worker)

    await asyncio.to_thread(demo.stop)
    monkeypatch.setenv("PYTHONPATH", str(newer_release))
    await asyncio.to_thread(demo.start)

    for who in (with_worker, without):
        await who.page.evaluate("dispatchEvent(new Event('online'))")  # do not wait for the next attempt
        await expect(who.page.get_by_text("There's a new version of Famichat.")).to_be_visible()
        await expect(who.page.get_by_label("Message to")).to_have_value(re.compile("^Half a thought"))
    # The worker has stored all files of the old version, including those that a page loads later.
    await _settings(with_worker)
    await expect(with_worker.page.get_by_role("link", name="Devices", exact=True)).to_be_visible()
    await with_worker.page.get_by_role("link", name="Manage Sundqvist").click()
    await expect(with_worker.page.get_by_role("heading", name="Members")).to_be_visible()
    await with_worker.page.get_by_role("button", name="Invite someone to Sundqvist").click()
    await with_worker.page.get_by_role("button", name="For an adult").click()
    await expect(with_worker.page.get_by_role("img", name="QR code for this link")).to_be_visible()
    await with_worker.page.get_by_role("dialog").get_by_role("button", name="Close").click()
    # Without a worker, the files are gone: the page says so where the content would be.
    await _settings(without)
    await expect(without.page.get_by_role("main").get_by_text("There's a new version of Famichat.")).to_be_visible()

    for who, name in ((with_worker, "maja"), (without, "emil")):
        await who.page.get_by_role("button", name="Reload").last.click()
        await expect(who.page.get_by_role("button", name="Reload")).to_have_count(0)
        assert await _script(who) != old_script
        await _settings(who)
        await expect(who.page.get_by_role("link", name="Devices", exact=True)).to_be_visible()
        await who.page.goto(f"{demo.url}/#")
        await who.open("The whole family")
        await expect(who.page.get_by_label("Message to")).to_have_value(f"Half a thought of {name}")

    # The new worker opens the app without a server, from files that it received compressed.
    await _has_stored(with_worker, newer_release / "famichat/static", "gzip")
    await asyncio.to_thread(demo.stop)
    await with_worker.page.reload()
    await expect(with_worker.page.get_by_label("Message to")).to_have_value("Half a thought of maja")


async def test_an_invitation_of_the_old_version_is_a_link_when_the_code_is_no_longer_there(
    of_the_family: SignedIn,
) -> None:
    maja = await of_the_family("maja", service_workers="block")
    maja.expected_faults = _EXPECTED
    await maja.page.route("**/assets/qr-*.js", lambda route: route.fulfill(status=404))
    await maja.page.goto(f"{maja.url}/#/you")
    await maja.page.get_by_role("link", name="Manage Sundqvist").click()
    await maja.page.get_by_role("button", name="Invite someone to Sundqvist").click()
    await maja.page.get_by_role("button", name="For an adult").click()

    await expect(maja.page.locator("output")).to_contain_text("/invite#")


# The scripts and style sheets in the cache that contains a file: path, coding of the response, decoded content.
_STORED = """async contained => {
    for (const name of await caches.keys()) {
        const cache = await caches.open(name)
        if (!(await cache.match(contained))) continue
        const stored = await Promise.all((await cache.keys()).map(async request => {
            const answer = await cache.match(request)
            return [new URL(request.url).pathname, answer.headers.get("content-encoding"), await answer.text()]
        }))
        return stored.filter(([path]) => /^\\/assets\\/.*\\.(js|css)$/.test(path))
    }
}"""


async def _has_stored(who: Person, static: Path, coding: str) -> None:
    """Check the cache of the worker: it keeps the decoded content of the files that the server sends compressed."""
    script = await _script(who)
    await who.until("async script => (await caches.match(script)) !== undefined", script)
    stored = await who.page.evaluate(_STORED, script)
    assert script in {path for path, _, _ in stored}
    for path, encoding, text in stored:
        file = static / path.removeprefix("/")
        assert text == file.read_text()
        assert encoding == (coding if file.with_name(f"{file.name}.gz").exists() else None)


async def _settings(who: Person) -> None:
    await who.page.goto(f"{who.url}/#/settings")


async def _script(who: Person) -> str | None:
    return await who.page.locator('script[src*="/assets/index-"]').get_attribute("src")


def _other_hash(found: re.Match[str]) -> str:
    first = "A" if found[0][0] != "A" else "B"
    return first + found[0][1:]
