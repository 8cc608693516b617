"""Images: metadata is removed, oversized images are not decoded, and the worker process has limits."""

import contextlib
import io
import resource
import time
from typing import Any

import pytest
from PIL import Image, ImageCms

from famichat.attachments import picture, picture_worker
from famichat.attachments.content_type import PICTURES, SHOWN, sniff
from famichat.attachments.picture import Picture, PictureRefused, clean
from tests.support.photos import SECRETS, bomb, photo, pretending

TYPES = list(PICTURES)
CONVERTED = [content_type for content_type in PICTURES if content_type not in SHOWN]


def cleaned(data: bytes, content_type: str) -> tuple[Picture, bytes]:
    new = io.BytesIO()
    return clean([data[:1000], data[1000:]], content_type, into=new.write), new.getvalue()


def worked(data: bytes, content_type: str, **changes: Any) -> tuple[bytes, bytes]:
    """Run the worker in this process; return the first line of its output, and the rest."""
    answer = io.BytesIO()
    options: dict[str, Any] = {"pixels": picture.MAX_PIXELS, "edge": 64, "keep": False, **changes}
    picture_worker.work(io.BytesIO(data), answer, PICTURES[content_type], **options)
    line, _, rest = answer.getvalue().partition(b"\n")
    return line, rest


@pytest.mark.parametrize("content_type", TYPES)
def test_location_and_time_are_removed_and_the_image_is_upright(content_type: str) -> None:
    data = photo(content_type, (40, 20))
    assert SECRETS.search(data)

    line, new = worked(data, content_type)

    assert not SECRETS.search(new)
    again = Image.open(io.BytesIO(new))
    assert sniff(new) == (content_type if content_type in SHOWN else "image/jpeg")
    assert len(again.getexif()) == 0
    turned = content_type != "image/gif"  # GIF has no EXIF, and so no orientation
    assert again.size == ((20, 40) if turned else (40, 20))
    assert f'"width": {again.width}, "height": {again.height}'.encode() in line


@pytest.mark.parametrize("content_type", ["image/gif", "image/webp", "image/png", "image/avif"])
def test_animation_is_preserved(content_type: str) -> None:
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green", "blue")]
    data = io.BytesIO()
    frames[0].save(data, PICTURES[content_type], save_all=True, append_images=frames[1:], duration=[100, 200, 300])

    _, new = worked(data.getvalue(), content_type)

    moving: Any = Image.open(io.BytesIO(new))
    assert moving.n_frames == 3


@pytest.mark.parametrize("content_type", CONVERTED)
def test_transparency_is_preserved(content_type: str) -> None:
    data = io.BytesIO()
    Image.new("RGBA", (16, 16), (255, 0, 0, 0)).save(data, PICTURES[content_type])

    _, new = worked(data.getvalue(), content_type)

    glass = Image.open(io.BytesIO(new))
    assert (glass.format, glass.mode) == ("WEBP", "RGBA")
    assert glass.getpixel((8, 8))[3] == 0  # type: ignore[index]  # of four colours


@pytest.mark.parametrize("content_type", CONVERTED)
def test_a_colour_profile_is_preserved(content_type: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(data, PICTURES[content_type], icc_profile=profile)

    _, new = worked(data.getvalue(), content_type)

    assert Image.open(io.BytesIO(new)).info["icc_profile"] == profile


def test_a_profile_of_printed_colours_does_not_stay_on_others() -> None:
    data = io.BytesIO()
    Image.new("CMYK", (8, 8)).save(data, "TIFF", icc_profile=b"of a printer")

    _, new = worked(data.getvalue(), "image/tiff")

    printed = Image.open(io.BytesIO(new))
    assert (printed.mode, "icc_profile" in printed.info) == ("RGB", False)


@pytest.mark.parametrize(
    "more",
    [
        {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]},
        {"tiffinfo": {254: 1}},
        {"tiffinfo": {50706: b"\1\4\0\0"}},
    ],
    ids=["pages", "a small one of another", "raw"],
)
def test_a_tiff_with_more_than_one_image_is_refused(more: dict[str, Any]) -> None:
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "TIFF", **more)

    with pytest.raises(PictureRefused) as refused:
        cleaned(data.getvalue(), "image/tiff")

    assert not refused.value.too_many_pixels


def test_a_16_bit_tiff_is_refused() -> None:
    data = io.BytesIO()
    Image.new("I;16", (8, 8), 40_000).save(data, "TIFF")

    with pytest.raises(ValueError, match="more than a picture"):
        worked(data.getvalue(), "image/tiff")


def test_the_worker_answers_with_both_pictures() -> None:
    whole, new = cleaned(photo("image/jpeg", (1600, 900)), "image/jpeg")

    small = Image.open(io.BytesIO(whole.thumbnail))
    assert (whole.width, whole.height) == Image.open(io.BytesIO(new)).size == (900, 1600)
    assert (small.format, small.size) == ("WEBP", (360, 640))
    assert not SECRETS.search(new + whole.thumbnail)


def test_an_original_that_is_kept_has_a_small_one_without_secrets() -> None:
    original = clean([photo("image/jpeg", (40, 20))], "image/jpeg", into=None)

    assert (original.width, original.height) == (20, 40)
    assert not SECRETS.search(original.thumbnail)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_way_to_write_colours_is_understood(mode: str) -> None:
    content_type = "image/jpeg" if mode == "CMYK" else "image/png"
    data = io.BytesIO()
    Image.new(mode, (8, 8)).save(data, PICTURES[content_type])

    _, new = worked(data.getvalue(), content_type)

    assert Image.open(io.BytesIO(new)).format == PICTURES[content_type]


def test_a_bomb_is_refused_at_once_and_takes_no_memory() -> None:
    data, before = bomb(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert worked(data, "image/png") == (b'{"too_many_pixels": 1}', b"")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    started = time.perf_counter()
    with pytest.raises(PictureRefused) as refused:
        cleaned(data, "image/png")

    assert refused.value.too_many_pixels
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("content_type", CONVERTED)
def test_a_bomb_of_each_format_is_refused_by_its_header(content_type: str) -> None:
    data = pretending(content_type, (16_000, 16_000), (160, 120))

    assert worked(data, content_type) == (b'{"too_many_pixels": 1}', b"")


@pytest.mark.parametrize("content_type", CONVERTED)
def test_a_picture_that_says_it_is_small_is_not_decoded_larger(content_type: str) -> None:
    new = io.BytesIO()

    with contextlib.suppress(PictureRefused):
        said = clean([pretending(content_type, (16, 16), (640, 480))], content_type, into=new.write)
        assert (said.width, said.height) == Image.open(new).size == (16, 16)


@pytest.mark.parametrize("content_type", CONVERTED)
def test_a_kind_of_picture_that_phones_make_goes_through_the_worker(content_type: str) -> None:
    told, new = cleaned(photo(content_type, (1600, 900)), content_type)

    assert (told.width, told.height) == Image.open(io.BytesIO(new)).size == (900, 1600)
    assert Image.open(io.BytesIO(told.thumbnail)).size == (360, 640)
    assert not SECRETS.search(new + told.thumbnail)


def test_the_pixels_of_all_frames_count_together() -> None:
    frames = [Image.new("L", (10, 10), shade) for shade in range(0, 250, 50)]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])

    assert worked(data.getvalue(), "image/gif", pixels=499) == (b'{"too_many_pixels": 1}', b"")


@pytest.mark.parametrize(
    "data",
    [photo()[:300], b"", b"<html><script>alert(1)</script>", b"\xff\xd8\xff" + b"\0" * 100_000],
    ids=["cut off", "empty", "HTML", "only the beginning"],
)
def test_a_file_that_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(PictureRefused) as refused:
        cleaned(data, "image/jpeg")

    assert not refused.value.too_many_pixels


def test_a_second_file_behind_the_picture_does_not_come_through() -> None:
    _, new = worked(photo("image/png", (16, 16)) + b"PK\x03\x04<script>", "image/png")

    assert b"<script>" not in new


def test_a_worker_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_COMMAND", ("sh", "-c", "exec sleep 60"))
    monkeypatch.setattr(picture, "TIMEOUT_SECONDS", 0.2)

    with pytest.raises(PictureRefused):
        cleaned(photo("image/jpeg", (8, 8)), "image/jpeg")


def test_the_worker_is_given_no_secret_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = '{"width": 1, "height": 1, "picture": 0, "thumbnail": 0}'
    monkeypatch.setenv("FAMICHAT_SECRET_KEY", "s")
    monkeypatch.setattr(picture, "_COMMAND", ("sh", "-c", f"env | grep -q FAMICHAT || echo '{answer}'"))

    assert clean([b""], "image/jpeg", into=None) == Picture(1, 1, b"")
