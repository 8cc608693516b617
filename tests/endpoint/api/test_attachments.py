"""Uploads over HTTP: resuming, inspection, sending with a message, and limits."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from famichat.attachments.files import Files
from famichat.attachments.quota import MAX_UNSENT
from famichat.storage.base import new_id
from famichat.storage.crypto.sealed_file import SealedWriter, new_key
from tests.support.app import RunningApp, running_app
from tests.support.photos import SECRETS, bomb, photo
from tests.support.uploading import announce, fetched, say_with, send_piece, upload

MIB = 1024 * 1024


async def moments() -> AsyncIterator[None]:
    """Poll until the server has handled another request, for up to ten seconds."""
    for _ in range(200):
        yield
        await asyncio.sleep(0.05)


async def offset_of(client: httpx.AsyncClient, attachment_id: str) -> int:
    offset: int = (await client.get(f"/attachments/{attachment_id}")).json()["offset"]
    return offset


async def test_a_photo_is_seen_by_the_others_without_where_it_was_taken(app: RunningApp) -> None:
    topic = f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.emil) as emil, app.http(app.home.maja) as maja, app.http(app.home.emil) as emils:
        await emil.join(topic)
        sent = await upload(maja, app.talks.direct, photo(size=(160, 120)), name="sommar.jpg")
        message = await say_with(maja, app.talks.direct, sent["id"])

        received = await emil.assert_broadcast(topic, "new_msg", message)
        [shown] = received.payload["attachments"]
        seen = await fetched(emils, shown["id"])
        small = await fetched(emils, shown["id"], "thumbnail")

    assert (shown["name"], shown["content_type"], shown["thumbnail"]) == ("sommar.jpg", "image/jpeg", True)
    assert (shown["width"], shown["height"], shown["size"]) == (120, 160, len(seen.content))
    assert seen.content.startswith(b"\xff\xd8")
    assert small.content[8:12] == b"WEBP"
    assert not SECRETS.search(seen.content + small.content)


async def test_an_interrupted_upload_continues_at_its_offset(app: RunningApp) -> None:
    data = os.urandom(300_000)
    async with app.http(app.home.maja) as maja:
        begun = await announce(maja, app.talks.direct, len(data), sha256=hashlib.sha256(data).hexdigest())
        await send_piece(maja, begun["id"], 0, data[:100_000])

        progress = await maja.head(f"/attachments/{begun['id']}")
        wrong = await send_piece(maja, begun["id"], 5, data[5:])
        ended = await send_piece(maja, begun["id"], 100_000, data[100_000:])
        message = await say_with(maja, app.talks.direct, begun["id"])
        got = await fetched(maja, begun["id"])

    assert (progress.headers["upload-offset"], progress.headers["upload-length"]) == ("100000", "300000")
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["offset"]) == (409, "wrong_offset", 100_000)
    assert (ended.headers["upload-offset"], ended.json()["finished"]) == ("300000", True)
    assert message["attachments"][0]["size"] == 300_000
    assert got.content == data


async def test_data_received_before_a_disconnect_is_kept(app: RunningApp) -> None:
    async def broken() -> Any:
        yield b"x" * 70_000
        raise ConnectionResetError

    async with app.http(app.home.maja) as maja:
        begun = await announce(maja, app.talks.direct, 100_000)
        with pytest.raises(ConnectionResetError):
            await send_piece(maja, begun["id"], 0, broken())
        async for _ in moments():
            if await offset_of(maja, begun["id"]) == 70_000:
                break
        else:
            raise AssertionError(await offset_of(maja, begun["id"]))


async def test_two_requests_do_not_write_into_one_upload(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        begun = await announce(maja, app.talks.direct, 20)
        path = Files(app.settings.effective_files_dir).upload(begun["id"])
        with SealedWriter(path, new_key(), begun["id"]):  # simulates another request or another server
            second = await send_piece(maja, begun["id"], 0, b"x" * 20)
        third = await send_piece(maja, begun["id"], 0, b"x" * 20)

    assert (second.status_code, second.json()["code"]) == (409, "upload_busy")
    assert third.json()["finished"]


async def test_an_attachment_belongs_to_one_message_only(app: RunningApp) -> None:
    """A file belongs to one message. Zulip lost a file shared by two messages when the first was deleted."""
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, b"%PDF-1.7")
        message = await say_with(maja, app.talks.direct, sent["id"], client_id="c1")

        repeat = await say_with(maja, app.talks.direct, sent["id"], client_id="c1")
        again = await maja.post(
            f"/conversations/{app.talks.direct}/messages", json={"body": "", "attachment_ids": [sent["id"]]}
        )
        without = await maja.post(f"/conversations/{app.talks.direct}/messages", json={"body": "x", "client_id": "c1"})

    assert repeat == message
    assert (again.status_code, again.json()["code"], again.json()["field"]) == (
        422,
        "invalid_message",
        "attachment_ids",
    )
    assert (without.status_code, without.json()["code"]) == (409, "conflict")


async def test_two_messages_at_once_do_not_share_an_attachment(app: RunningApp) -> None:
    path = f"/conversations/{app.talks.direct}/messages"
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, b"once")
        body = {"body": "hej", "attachment_ids": [sent["id"]]}
        answers = await asyncio.gather(*(maja.post(path, json=body) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 9


async def test_only_complete_own_uploads_of_this_conversation_can_be_sent(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        elsewhere = await upload(maja, app.talks.group, b"x")
        emils = await upload(emil, app.talks.direct, b"x")
        unfinished = await announce(maja, app.talks.direct, 5)
        own = await upload(maja, app.talks.direct, b"x")
        lists: list[Any] = [
            [elsewhere["id"]], [emils["id"]], [unfinished["id"]], [new_id()], ["x"], [own["id"], own["id"]],
            [own["id"], elsewhere["id"]], [new_id() for _ in range(11)],
        ]  # fmt: skip
        path = f"/conversations/{app.talks.direct}/messages"
        answers = [await maja.post(path, json={"body": "", "attachment_ids": ids}) for ids in lists]
        page = (await maja.get(path)).json()

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "invalid_message")}
    assert page["messages"] == []


async def test_a_message_keeps_its_attachments_in_their_order(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        ids = [(await upload(maja, app.talks.self, b"x", name=f"{n}"))["id"] for n in range(3)][::-1]
        message = await say_with(maja, app.talks.self, *ids)
        page = (await maja.get(f"/conversations/{app.talks.self}/messages")).json()

    assert [each["id"] for each in message["attachments"]] == ids
    assert page["messages"] == [message]


@pytest.mark.parametrize(
    ("start", "content_type"),
    [(b"OggS\0", "audio/ogg"), (b"\x1aE\xdf\xa3\x01", "video/webm"), (b"\0\0\0\x1cftypiso5", "video/mp4")],
    ids=["Firefox", "Chromium", "Safari"],
)
async def test_a_voice_note_has_its_length_and_its_shape(app: RunningApp, start: bytes, content_type: str) -> None:
    async with app.http(app.home.maja) as maja:
        note = await upload(maja, app.talks.direct, start, duration_ms=2500, waveform=[0, 50, 100])

    assert (note["content_type"], note["duration_ms"], note["waveform"]) == (content_type, 2500, [0, 50, 100])


async def test_an_encrypted_file_is_not_inspected(app: RunningApp) -> None:
    data = photo()
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, data, encrypted=True)
        got = await fetched(maja, sent["id"])

    assert got.content == data
    assert (sent["content_type"], sent["thumbnail"], sent["width"]) == ("application/octet-stream", False, None)
    assert got.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize(("kind", "ending"), [("heic", "HEIC"), ("avif", "avif"), ("tiff", "tif")])
async def test_a_photo_of_any_phone_is_seen_in_any_browser(app: RunningApp, kind: str, ending: str) -> None:
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, photo(f"image/{kind}"), name=f"IMG_1.{ending}")
        message = await say_with(maja, app.talks.direct, sent["id"])
        seen = await fetched(maja, sent["id"])

    [shown] = message["attachments"]
    assert (shown["name"], shown["content_type"], shown["thumbnail"]) == ("IMG_1.jpg", "image/jpeg", True)
    assert (shown["width"], shown["height"], shown["size"]) == (120, 160, len(seen.content))
    assert (seen.headers["content-type"], seen.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert seen.headers["content-disposition"].startswith('inline; filename="IMG_1.jpg"')
    assert not SECRETS.search(seen.content)


@pytest.mark.parametrize("kind", ["heic", "avif", "tiff"])
async def test_an_original_photo_is_sent_unchanged_with_a_thumbnail(app: RunningApp, kind: str) -> None:
    data = photo(f"image/{kind}")
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, data, name=f"IMG_1.{kind}", keep_metadata=True)
        got = await fetched(maja, sent["id"])
        small = await fetched(maja, sent["id"], "thumbnail")

    assert (got.content, sent["content_type"], sent["name"]) == (data, f"image/{kind}", f"IMG_1.{kind}")
    assert got.headers["content-disposition"].startswith("attachment;")  # not every browser displays it
    assert small.content[8:12] == b"WEBP"
    assert not SECRETS.search(small.content)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"\0\0\0\x18ftypheic" + b"\0" * 50, "image/heic"),
        (photo()[:500], "application/octet-stream"),
        (bomb(), "application/octet-stream"),
        (b"GIF89a<script>alert(1)</script>", "application/octet-stream"),
    ],
    ids=["damaged HEIC", "cut off", "bomb", "polyglot"],
)
async def test_an_original_that_no_small_one_can_be_made_of_is_a_file_to_save(
    app: RunningApp, data: bytes, content_type: str
) -> None:
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, data, keep_metadata=True)
        got = await fetched(maja, sent["id"])

    assert (sent["content_type"], sent["thumbnail"], sent["width"]) == (content_type, False, None)
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.content == data


async def test_an_original_is_kept_on_request(app: RunningApp) -> None:
    data = photo()
    async with app.http(app.home.maja) as maja:
        sent = await upload(maja, app.talks.direct, data, keep_metadata=True)
        got = await fetched(maja, sent["id"])
        small = await fetched(maja, sent["id"], "thumbnail")

    assert got.content == data
    assert not SECRETS.search(small.content)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (bomb(), "picture_too_large"),
        (photo()[:500], "picture_unreadable"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 50, "picture_unreadable"),
        (b"GIF89a<script>alert(1)</script>", "picture_unreadable"),
    ],
    ids=["bomb", "cut off", "damaged HEIC", "polyglot"],
)
async def test_a_picture_that_cannot_be_made_harmless_is_refused(app: RunningApp, data: bytes, code: str) -> None:
    async with app.http(app.home.maja) as maja:
        begun = await announce(maja, app.talks.direct, len(data))
        async with asyncio.timeout(2 if code == "picture_too_large" else 10):
            refused = await send_piece(maja, begun["id"], 0, data)
        after = (await maja.get(f"/attachments/{begun['id']}")).json()

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert (after["offset"], after["finished"]) == (0, False)


async def test_a_file_that_does_not_match_its_upload_request_is_refused(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        begun = await announce(maja, app.talks.direct, 5, sha256="0" * 64)
        other = await send_piece(maja, begun["id"], 0, b"12345")
        more = await send_piece(maja, begun["id"], 0, b"123456")

    assert (other.status_code, other.json()["code"]) == (422, "checksum_mismatch")
    assert (more.status_code, more.json()["code"]) == (413, "file_too_large")


async def test_limits_are_reported(migrated_sqlite: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    url = f"sqlite:///{tmp_path / 'famichat.db'}"
    async with running_app(url, tmp_path, max_file_mb=1, quota_mb=2) as app, app.http(app.home.maja) as maja:
        path = f"/conversations/{app.talks.direct}/attachments"
        too_large = await maja.post(path, json={"size": MIB + 1})
        for _ in range(2):
            await announce(maja, app.talks.direct, MIB)
        full = await maja.post(path, json={"size": 1})
        used = (await maja.get("/me/storage")).json()
        async with app.http(app.home.emil) as emil:
            for _ in range(MAX_UNSENT):
                await announce(emil, app.talks.direct, 1)
            many = await emil.post(path, json={"size": 1})

    assert (too_large.status_code, too_large.json()["code"]) == (413, "file_too_large")
    assert too_large.json()["max_bytes"] == MIB
    assert (full.status_code, full.json()["code"]) == (413, "quota_exceeded")
    assert (full.json()["used_bytes"], full.json()["quota_bytes"]) == (2 * MIB, 2 * MIB)
    assert used == {"used_bytes": 2 * MIB, "quota_bytes": 2 * MIB, "max_file_bytes": MIB}
    assert (many.status_code, many.json()["code"]) == (409, "too_many_uploads")


async def test_the_largest_number_is_a_file_that_is_too_large(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        answer = await maja.post(f"/conversations/{app.talks.direct}/attachments", json={"size": 2**53})

    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")


async def test_announced_uploads_reserve_their_disk_space(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 10 * MIB
    monkeypatch.setattr(Files, "has_room_for", lambda _self, size: size <= free)
    path, size = f"/conversations/{app.talks.direct}/attachments", 3 * MIB
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        answers = await asyncio.gather(*(client.post(path, json={"size": size}) for client in (maja, emil) * 3))
        accepted = [answer.json()["id"] for answer in answers if answer.status_code == 201]

    assert len(accepted) == 3
    assert {(answer.status_code, answer.json()["code"]) for answer in answers if answer.status_code != 201} == {
        (503, "server_full")
    }


async def test_a_cancelled_upload_is_deleted(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        begun = await announce(maja, app.talks.direct, 10)
        await send_piece(maja, begun["id"], 0, b"12345")
        removed = await maja.delete(f"/attachments/{begun['id']}")
        after = await send_piece(maja, begun["id"], 5, b"12345")

    assert (removed.status_code, after.status_code) == (204, 404)
    assert not list(app.settings.effective_files_dir.glob(f"*/{begun['id']}*"))


@pytest.mark.parametrize(
    "body",
    [
        {"size": 0}, {"size": -1}, {"size": 1.5}, {"size": "1"}, {}, {"size": 2**60}, {"size": 1, "name": ""},
        {"size": 1, "name": "x" * 256}, {"size": 1, "name": "x" * 4096}, {"size": 1, "sha256": "x"},
        {"size": 1, "waveform": [101]}, {"size": 1, "waveform": [1] * 101}, {"size": 1, "duration_ms": -1},
        {"size": 1, "content_type": "text/html"},
    ],
    ids=str,
)  # fmt: skip
async def test_an_invalid_upload_request_is_refused(app: RunningApp, body: dict[str, Any]) -> None:
    async with app.http(app.home.maja) as maja:
        answer = await maja.post(f"/conversations/{app.talks.direct}/attachments", json=body)

    assert (answer.status_code, answer.json()["code"]) in {(422, "invalid_request"), (400, "invalid_json")}


async def test_a_plain_file_is_refused_where_encryption_is_required(database_url: str, tmp_path: Path) -> None:
    settings = {"encryption_policy_direct": "required", "encryption_policy_group": "forbidden"}
    async with running_app(database_url, tmp_path, **settings) as app, app.http(app.home.maja) as maja:
        plain = await maja.post(f"/conversations/{app.talks.direct}/attachments", json={"size": 1})
        cipher = await maja.post(f"/conversations/{app.talks.group}/attachments", json={"size": 1, "encrypted": True})
        taken = await upload(maja, app.talks.direct, b"x", encrypted=True)

    assert (plain.status_code, plain.json()["code"]) == (422, "encryption_required")
    assert (cipher.status_code, cipher.json()["code"]) == (422, "invalid_encryption_metadata")
    assert taken["finished"]


async def test_the_size_of_a_chunk_is_limited(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        begun = await announce(maja, app.talks.direct, 9 * MIB)
        too_much = await send_piece(maja, begun["id"], 0, bytes(8 * MIB + 1))
        enough: httpx.Response = await send_piece(maja, begun["id"], 0, bytes(8 * MIB))

    assert (too_much.status_code, too_much.json()["code"]) == (413, "request_too_large")
    assert enough.json()["offset"] == 8 * MIB


FILM = b"\x1aE\xdf\xa3 a film"
SHAPE = {"width": 1920, "height": 1080, "duration_ms": 12_000}


async def test_a_video_has_the_shape_and_the_picture_that_its_sender_made(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        film = await upload(maja, app.talks.direct, FILM, name="swim.webm", video=SHAPE)
        before = await maja.get(f"/attachments/{film['id']}/address")
        answer = await maja.put(f"/attachments/{film['id']}/poster", content=photo())
        again = await maja.put(f"/attachments/{film['id']}/poster", content=photo("image/png"))
        message = await say_with(maja, app.talks.direct, film["id"])
        page = (await emil.get(f"/conversations/{app.talks.direct}/messages")).json()
        poster = await fetched(emil, film["id"], "thumbnail")
        late = await maja.put(f"/attachments/{film['id']}/poster", content=photo())

    assert film["video"] == SHAPE | {"poster": False}
    assert before.json()["thumbnail"] is None
    assert [response.json()["video"] for response in (answer, again)] == [SHAPE | {"poster": True}] * 2
    [seen] = message["attachments"]
    # A client that does not know videos shows a file, neither a photo nor a voice message.
    assert (seen["thumbnail"], seen["width"], seen["height"], seen["duration_ms"]) == (False, None, None, None)
    assert seen["video"] == SHAPE | {"poster": True}
    assert page["messages"][-1]["attachments"] == [seen]
    assert poster.headers["content-type"] == "image/webp"
    assert not SECRETS.search(poster.content)
    assert late.status_code == 404  # it was sent


async def test_only_a_complete_video_of_the_caller_takes_a_picture(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        begun = await announce(maja, app.talks.direct, len(FILM), video=SHAPE)
        plain = await upload(maja, app.talks.direct, FILM)
        text = await upload(maja, app.talks.direct, b"no film", video=SHAPE)
        film = await upload(maja, app.talks.direct, FILM, video=SHAPE)
        refused = [
            await maja.put(f"/attachments/{each['id']}/poster", content=photo()) for each in (begun, plain, text)
        ]
        of_another = await emil.put(f"/attachments/{film['id']}/poster", content=photo())
        unreadable = await maja.put(f"/attachments/{film['id']}/poster", content=b"no picture")

    assert [answer.status_code for answer in (*refused, of_another)] == [404] * 4
    assert "video" not in text
    assert (unreadable.status_code, unreadable.json()["code"]) == (422, "picture_unreadable")
