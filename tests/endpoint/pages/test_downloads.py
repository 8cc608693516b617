"""Signed download URLs: limited to one user with access, expiring, and harmless in any browser."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import update

from famichat.attachments import signed_url
from famichat.chat.records.attachment import Attachment
from famichat.endpoint.pages import downloads
from famichat.storage.crypto.sealed_file import PIECE_BYTES
from famichat.storage.database import Database
from famichat.telemetry.events import AttachmentDamaged, Event
from tests.support.app import RunningApp
from tests.support.photos import photo
from tests.support.uploading import address, announce, fetched, say_with, send_piece, upload

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


@asynccontextmanager
async def page() -> AsyncIterator[httpx.AsyncClient]:
    """A page, which sends no token."""
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.mark.parametrize(("data", "name"), [(SVG, "x.svg"), (HTML, "x.png"), (HTML, "x.html"), (b"%PDF-1.7", "x.pdf")])
async def test_files_that_could_contain_scripts_are_downloads_only(app: RunningApp, data: bytes, name: str) -> None:
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, data, name=name)
        got = await fetched(maja, sent["id"])

    assert got.headers["content-type"] in {"application/octet-stream", "application/pdf"}
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["cache-control"] == "private, no-store"
    assert got.content == data


async def test_a_picture_is_shown_and_its_name_is_no_header(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, photo("image/png"), name="a\r\nset-cookie: x.png")
        got = await fetched(maja, sent["id"])

    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"].startswith('inline; filename="a__set-cookie_ x.png"')
    assert "set-cookie" not in got.headers
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def test_a_part_can_be_asked_for(app: RunningApp) -> None:
    data = bytes(range(256)) * 1000
    async with app.http(app.home.maja) as maja, page() as browser:
        sent = await upload(maja, app.talks.direct, data)
        where = await address(maja, sent["id"])
        part = await browser.get(where, headers={"range": "bytes=70000-140000"})
        head = await browser.head(where)
        beyond = await browser.get(where, headers={"range": "bytes=256000-"})

    assert (part.status_code, part.content) == (206, data[70_000:140_001])
    assert part.headers["content-range"] == "bytes 70000-140000/256000"
    assert (head.status_code, head.headers["content-length"], head.headers["accept-ranges"]) == (200, "256000", "bytes")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")


async def test_a_removed_member_cannot_download_at_once(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil, page() as browser:
        sent = await upload(maja, app.talks.group, b"for the group")
        await say_with(maja, app.talks.group, sent["id"])
        where = await address(emil, sent["id"])
        before = await browser.get(where)
        await maja.delete(f"/conversations/{app.talks.group}/members/{app.home.emil.user_id}")
        after = await browser.get(where)
        requested = await emil.get(f"/attachments/{sent['id']}/address")

    assert (before.status_code, after.status_code, requested.status_code) == (200, 404, 404)


async def test_a_revoked_device_cannot_download_at_once(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil, page() as browser:
        sent = await upload(maja, app.talks.direct, b"hej")
        await say_with(maja, app.talks.direct, sent["id"])
        where = await address(emil, sent["id"])
        await emil.delete("/sessions/current")
        after = await browser.get(where)

    assert (after.status_code, after.json()["code"]) == (404, "not_found")


async def test_a_deleted_message_takes_its_files_along_and_no_others(app: RunningApp) -> None:
    topic = f"message:direct:{app.talks.direct}"
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil, page() as browser:
        photos = [await upload(maja, app.talks.direct, photo()) for _ in range(2)]
        one, other = [await say_with(maja, app.talks.direct, each["id"]) for each in photos]
        where = [await address(emil, each["id"]) for each in photos]
        async with app.connect(app.home.emil) as listening:
            await listening.join(topic)
            await maja.delete(f"/conversations/{app.talks.direct}/messages/{one['message_id']}")
            received = (await listening.assert_broadcast(topic, "message_updated")).payload
        answers = [(await browser.get(each)).status_code for each in where]
        left = [path.name for path in app.settings.effective_files_dir.glob("*/*")]

    assert received["attachments"] == []
    assert answers == [404, 200]
    assert not [name for name in left if name.startswith(photos[0]["id"])]
    assert [name for name in left if name.startswith(photos[1]["id"])]
    assert other["attachments"][0]["id"] == photos[1]["id"]


async def test_an_unsent_upload_is_for_its_owner_only(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        sent = await upload(maja, app.talks.direct, b"hej")
        unfinished = await announce(maja, app.talks.direct, 5)
        own = await maja.get(f"/attachments/{sent['id']}/address")
        others = await emil.get(f"/attachments/{sent['id']}/address")
        half = await maja.get(f"/attachments/{unfinished['id']}/address")

    assert (own.status_code, others.status_code, half.status_code) == (200, 404, 404)


async def test_a_new_group_member_cannot_download_earlier_files(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.nils) as nils:
        sent = await upload(maja, app.talks.group, b"before")
        await say_with(maja, app.talks.group, sent["id"])
        await maja.post(f"/conversations/{app.talks.group}/members", json={"user_id": app.home.nils.user_id})
        answer = await nils.get(f"/attachments/{sent['id']}/address")

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["x", "..%2f..%2fetc%2fpasswd", "%2e%2e", "a%00b", "å", "x" * 4096])
async def test_no_other_address_is_valid(app: RunningApp, path: str) -> None:
    async with app.site() as site:
        answer = await site.get(f"/files/{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_address_expires(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_url, "ADDRESS_SECONDS", 0)
    async with app.http(app.home.maja) as maja, page() as browser:
        sent = await upload(maja, app.talks.direct, b"hej")
        answer = await browser.get(await address(maja, sent["id"]))

    assert answer.status_code == 404


async def test_a_file_that_was_damaged_or_lost_is_named_and_not_given_out(
    app: RunningApp, emitted: list[Event]
) -> None:
    async with app.http(app.home.maja) as maja, page() as browser:
        sent = await upload(maja, app.talks.direct, b"hej")
        where = await address(maja, sent["id"])
        [path] = app.settings.effective_files_dir.glob(f"*/{sent['id']}")
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        damaged = await browser.get(where)
        path.unlink()
        lost = await browser.get(where)

    assert (damaged.status_code, damaged.json()["code"]) == (410, "file_damaged")
    assert (lost.status_code, lost.json()["code"]) == (503, "unavailable")
    assert AttachmentDamaged(attachment_id=sent["id"]) in emitted


async def test_a_download_ends_before_the_damaged_part(app: RunningApp, emitted: list[Event]) -> None:
    received = bytearray()

    async def download(browser: httpx.AsyncClient, where: httpx.URL) -> None:
        async with browser.stream("GET", where) as answer:
            async for chunk in answer.aiter_bytes():
                received.extend(chunk)

    async with app.http(app.home.maja) as maja, page() as browser:
        sent = await upload(maja, app.talks.direct, b"a" * (2 * PIECE_BYTES))
        [path] = app.settings.effective_files_dir.glob(f"*/{sent['id']}")
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        where = await address(maja, sent["id"])
        with pytest.raises(httpx.RemoteProtocolError):
            await download(browser, where)

    assert bytes(received) == b"a" * len(received)
    assert len(received) <= PIECE_BYTES
    assert AttachmentDamaged(attachment_id=sent["id"]) in emitted


async def test_a_file_with_a_damaged_row_is_named_and_not_given_out(app: RunningApp, emitted: list[Event]) -> None:
    database = Database(app.settings.effective_database_url)
    async with app.http(app.home.maja) as maja, page() as browser:
        sent = await upload(maja, app.talks.direct, b"hej")
        where = await address(maja, sent["id"])
        database.run(lambda session: session.execute(update(Attachment).values(sealed=b"damaged" * 9)))
        database.close()
        answer = await browser.get(where)

    assert (answer.status_code, answer.json()["code"]) == (410, "file_damaged")
    assert AttachmentDamaged(attachment_id=sent["id"]) in emitted


async def test_nothing_of_a_file_can_be_read_off_the_disk(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        await upload(maja, app.talks.direct, b"mormors recept" * 10_000, name="mormors recept.txt")
        begun = await announce(maja, app.talks.direct, 10**6)
        await send_piece(maja, begun["id"], 0, b"mormors recept" * 10_000)

    stored = [path for path in app.settings.data_dir.rglob("*") if path.is_file()]
    assert len(stored) >= 2
    assert not [path for path in stored if re.search(b"mormors", path.read_bytes())]


async def test_an_address_that_is_used_too_often_is_refused(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    assert downloads.router.routes  # the route is not in OpenAPI, so its limit is tested here
    requested: list[str] = []
    monkeypatch.setattr(
        "famichat.actions.rate_limit.RateLimits.check", lambda _self, name, _who: requested.append(name)
    )
    async with app.http(app.home.maja) as maja, page() as browser:
        sent = await upload(maja, app.talks.direct, b"hej")
        where = await address(maja, sent["id"])
        requested.clear()
        await browser.get(where)

    assert requested == ["request"]
