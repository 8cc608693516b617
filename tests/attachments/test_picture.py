"""Images: metadata is removed, oversized images are not decoded, and the worker process has limits."""

import contextlib
import io
import json
import os
import re
import resource
import struct
import subprocess
import sys
import time
import zlib
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin
from PIL.ExifTags import Base

from famichat.attachments import picture, picture_worker
from famichat.attachments.content_type import PICTURES, SHOWN, sniff
from famichat.attachments.picture import Picture, PictureRefused, clean
from tests.support.photos import SECRETS, bomb, large_jpeg, photo, pretending

TYPES = list(PICTURES)
MIB = 1024 * 1024
# Runs the worker and reports its peak resident memory in KiB.
MEASURED = """
from famichat.attachments.picture_worker import main
import sys
status = open("/proc/self/status")  # before it is confined
main()
print(status.read(), file=sys.stderr)
"""
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


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def thumbnail(data: bytes, content_type: str) -> Image.Image:
    _, small = worked(data, content_type, keep=True)
    return Image.open(io.BytesIO(small))


def swapped_profile() -> bytes:
    """A valid profile whose red primary is the blue of sRGB, and the other way round."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    names = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    return re.sub(rb"[rb]XYZ", lambda found: names[found[0]], profile)


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """The PNG with this chunk after its header."""
    crc = zlib.crc32(name + content).to_bytes(4)
    return png[:33] + len(content).to_bytes(4) + name + content + crc + png[33:]


P3_COLOUR, P3_GREEN_IN_SRGB = (100, 180, 100), (65, 183, 90)
"""A green in Display P3 and, rounded, in sRGB."""


def display_p3(content_type: str, transfer: int = 13) -> bytes:
    """A green picture whose colours are named as Display P3 by code points, without a profile."""
    image = Image.new("RGB", (64, 64), P3_COLOUR)
    data = encoded(image, PICTURES[content_type], **({} if content_type == "image/png" else {"quality": 100}))
    if content_type == "image/png":
        return with_chunk(data, b"cICP", bytes((12, transfer, 0, 1)))
    named, count = re.subn(rb"(?<=colrnclx)..\0.", struct.pack(">HH", 12, transfer), data, flags=re.DOTALL)
    assert count == 1
    return named


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
    grey = encoded(Image.new("I;16", (8, 8), 40_000), "TIFF")
    # Pillow writes no 16-bit colours: the samples of a picture with 8 bits, twice as wide, are declared as 16 bits.
    colours = encoded(Image.new("RGB", (16, 8), "red"), "TIFF")
    bits = struct.pack("<3H", 8, 8, 8)
    assert colours.count(bits) == 1
    colours = colours.replace(bits, struct.pack("<3H", 16, 16, 16)).replace(
        struct.pack("<HHII", 256, 4, 1, 16), struct.pack("<HHII", 256, 4, 1, 8)
    )

    for data in (grey, colours):
        assert Image.open(io.BytesIO(data)).size == (8, 8)
        with pytest.raises(ValueError, match="more than a picture"):
            worked(data, "image/tiff")


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
        sent = clean([pretending(content_type, (16, 16), (640, 480))], content_type, into=new.write)
        assert (sent.width, sent.height) == Image.open(new).size == (16, 16)


@pytest.mark.parametrize("content_type", CONVERTED)
def test_the_worker_accepts_each_picture_format_of_phones(content_type: str) -> None:
    reported, new = cleaned(photo(content_type, (1600, 900)), content_type)

    assert (reported.width, reported.height) == Image.open(io.BytesIO(new)).size == (900, 1600)
    assert Image.open(io.BytesIO(reported.thumbnail)).size == (360, 640)
    assert not SECRETS.search(new + reported.thumbnail)


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
    answer = '{"width": 1, "height": 1, "picture": 0, "thumbnail": 0, "sandboxed": 1}'
    monkeypatch.setenv("FAMICHAT_SECRET_KEY", "s")
    monkeypatch.setattr(picture, "_COMMAND", ("sh", "-c", f"env | grep -q FAMICHAT || echo '{answer}'"))

    assert clean([b""], "image/jpeg", into=None) == Picture(1, 1, b"")


def test_a_jpeg_of_200_megapixels_is_cleaned_in_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    exif[Base.Make] = "Camera"
    data = large_jpeg(16320, 765)
    content = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    data = data[:2] + b"\xff\xe1" + (len(content) + 2).to_bytes(2) + content + data[2:]

    done = subprocess.run(
        (sys.executable, "-c", MEASURED, "JPEG", str(picture.MAX_PIXELS), "640", "clean"),
        input=data,
        capture_output=True,
        check=True,
        timeout=30,
    )

    line, _, rest = done.stdout.partition(b"\n")
    reported = picture._header(line + b"\n")
    new, small = (
        Image.open(io.BytesIO(rest[: reported["picture"]])),
        Image.open(io.BytesIO(rest[reported["picture"] :])),
    )
    assert (reported["width"], reported["height"]) == (12240, 16320)
    assert (new.size, dict(new.getexif())) == ((16320, 12240), {Base.Orientation: 6})
    assert small.size == (480, 640)
    assert b"Camera" not in done.stdout
    peak = re.search(rb"VmHWM:\s+(\d+) kB", done.stderr)
    assert peak is not None
    assert int(peak[1]) * 1024 < 150 * MIB


def test_only_jpegs_may_exceed_the_limit_of_full_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_worker, "DECODED_PIXELS", 99)
    image = Image.new("RGB", (10, 10))

    assert b"width" in worked(encoded(image, "JPEG"), "image/jpeg")[0]
    assert worked(encoded(image, "PNG"), "image/png") == (b'{"too_many_pixels": 1}', b"")


@pytest.mark.parametrize("lost", [2, 200])
@pytest.mark.parametrize("limit", [64_000_000, 100], ids=["decoded", "too large to be decoded"])
def test_a_truncated_jpeg_is_cleaned_as_far_as_it_decodes(
    lost: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_worker, "DECODED_PIXELS", limit)
    whole = encoded(Image.effect_noise((320, 240), 60), "JPEG")

    _, rest = worked(whole[:-lost], "image/jpeg")

    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", False)
    new, top = Image.open(io.BytesIO(rest)), (0, 0, 320, 200)
    assert new.size == (320, 240)
    difference = zip(new.crop(top).tobytes(), Image.open(io.BytesIO(whole)).crop(top).tobytes(), strict=True)
    assert max(abs(one - other) for one, other in difference) < 40


def test_a_truncated_heic_is_refused_rather_than_black() -> None:
    data = photo("image/heic", (320, 240))

    with pytest.raises((ValueError, OSError, EOFError, SyntaxError)):
        worked(data[:-50], "image/heic")


def test_a_png_with_a_long_compressed_text_is_cleaned() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "x" * 2_000_000, zip=True)

    _, new = worked(encoded(Image.new("RGB", (8, 8), "red"), "PNG", pnginfo=text), "image/png")

    assert b"workflow" not in new


def test_damaged_exif_data_does_not_matter() -> None:
    data = encoded(Image.new("RGB", (8, 8), "red"), "JPEG", exif=b"Exif\0\0damaged data")

    assert b'"width": 8' in worked(data, "image/jpeg")[0]


@pytest.mark.parametrize(("size", "expected"), [((1, 2000), (1, 64)), ((2000, 1), (64, 1)), ((1, 1), (1, 1))])
def test_the_thumbnail_of_a_thin_strip_is_at_least_one_pixel_wide(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert thumbnail(encoded(Image.new("RGB", size), "PNG"), "image/png").size == expected


def test_16_bit_grey_keeps_its_depth_and_has_a_correct_thumbnail() -> None:
    grey = Image.frombytes("I;16", (64, 8), b"".join((x * 1024).to_bytes(2, "little") for x in range(64)) * 8)
    data = encoded(grey, "PNG")

    _, rest = worked(data, "image/png")
    small = thumbnail(data, "image/png").convert("L")

    assert Image.open(io.BytesIO(rest)).tobytes() == grey.tobytes()
    for x in (2, 20, 40, 61):
        assert small.getpixel((x, 4)) == pytest.approx(x * 4, abs=6)


def test_16_bit_colours_keep_their_depth() -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)

    rows = (b"\0" + bytes.fromhex("123456789abc") * 4) * 4
    header = b"\0\0\0\4\0\0\0\4\x10\2\0\0\0"
    pixels = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    data = b"\x89PNG\r\n\x1a\n" + pixels + chunk(b"tEXt", b"Place\0home") + chunk(b"IEND", b"")

    _, new = worked(data, "image/png")

    assert new.startswith(b"\x89PNG\r\n\x1a\n" + pixels + chunk(b"IEND", b""))
    assert b"home" not in new


@pytest.mark.parametrize("content_type", [kind for kind in TYPES if kind != "image/gif"])
def test_the_thumbnail_has_the_colours_that_the_profile_defines(content_type: str) -> None:
    image = Image.new("RGB", (64, 64), (255, 0, 0))
    data = encoded(image, PICTURES[content_type], icc_profile=swapped_profile())

    small = thumbnail(data, content_type)
    red, _, blue = small.convert("RGB").getpixel((30, 30))  # type: ignore[misc]  # three colours

    assert "icc_profile" not in small.info
    assert (red < 40, blue > 215) == (True, True)


@pytest.mark.parametrize("content_type", ["image/avif", "image/heic", "image/png"])
def test_colours_that_are_named_by_code_points_survive(content_type: str) -> None:
    data = display_p3(content_type)

    line, rest = worked(data, content_type)
    size = json.loads(line)["picture"]
    new, small = (Image.open(io.BytesIO(part)) for part in (rest[:size], rest[size:]))

    if content_type == "image/png":
        assert struct.pack(">I4s4B", 4, b"cICP", 12, 13, 0, 1) in rest[:size]
    else:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(new.info["icc_profile"]))
        in_srgb = ImageCms.profileToProfile(new, profile, ImageCms.createProfile("sRGB"))
        assert in_srgb.getpixel((32, 32)) == pytest.approx(P3_GREEN_IN_SRGB, abs=6)  # type: ignore[union-attr]
    assert small.convert("RGB").getpixel((32, 32)) == pytest.approx(P3_GREEN_IN_SRGB, abs=8)


@pytest.mark.parametrize("content_type", ["image/avif", "image/heic"])
def test_an_hdr_picture_is_refused_rather_than_pale(content_type: str) -> None:
    with pytest.raises(ValueError, match="HDR"):
        worked(display_p3(content_type, transfer=16), content_type)


def test_a_png_with_another_gamma_keeps_it() -> None:
    data = with_chunk(encoded(Image.new("RGB", (8, 8), "teal"), "PNG"), b"gAMA", struct.pack(">I", 100_000))

    _, new = worked(data, "image/png")

    assert Image.open(io.BytesIO(new)).info["gamma"] == 1.0


@pytest.mark.parametrize("megabytes", [120, 150, 190])
def test_a_picture_that_needs_too_much_memory_is_too_large_rather_than_damaged(megabytes: int) -> None:
    image = Image.new("RGB", (4000, 2500), "#88aacc")
    data = encoded(image, "WEBP", lossless=True, quality=0, method=0)
    little = f"from famichat.attachments import picture_worker as it; it._MEMORY = {megabytes} << 20; it.main()"
    command = (sys.executable, "-c", little, "WEBP", str(picture.MAX_PIXELS), "64", "clean")

    # Measuring the coverage takes memory, and a file that the worker may not write.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}

    worker = subprocess.run(command, input=data, capture_output=True, env=environment, check=False)

    assert worker.stdout == b'{"too_many_pixels": 1}\n', worker.stderr[-300:]


def test_a_damaged_profile_does_not_matter() -> None:
    data = encoded(Image.new("RGB", (64, 64), "red"), "JPEG", icc_profile=b"not a profile")

    assert thumbnail(data, "image/jpeg").convert("RGB").getpixel((30, 30))[0] > 200  # type: ignore[index]  # a tuple


@pytest.mark.parametrize(
    ("content_type", "loop"),
    [("image/gif", None), ("image/gif", 0), ("image/gif", 3)]
    + [(kind, loop) for kind in ("image/webp", "image/png") for loop in (0, 1, 3)],
)
def test_an_animation_plays_as_often_as_before(content_type: str, loop: int | None) -> None:
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green")]
    options: dict[str, Any] = {} if loop is None else {"loop": loop}
    data = encoded(frames[0], PICTURES[content_type], save_all=True, append_images=frames[1:], duration=99, **options)

    _, new = worked(data, content_type)

    assert Image.open(io.BytesIO(new)).info.get("loop") == loop


@pytest.mark.parametrize("content_type", ["image/webp", "image/png"])
def test_the_frames_of_an_animation_are_upright(content_type: str) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "green")]
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "exif": exif}

    line, new = worked(encoded(frames[0], PICTURES[content_type], **options), content_type)

    assert Image.open(io.BytesIO(new)).size == (20, 30)
    assert b'"width": 20, "height": 30' in line


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied(orientation: int) -> None:
    image = Image.new("L", (64, 32))
    image.paste(255, (0, 0, 32, 16))
    exif = Image.Exif()
    exif[Base.Orientation] = orientation

    _, rest = worked(encoded(image, "JPEG", exif=exif), "image/jpeg")

    new = Image.open(io.BytesIO(rest))
    corners = [new.crop((x, y, x + 8, y + 8)) for y in (0, new.height - 8) for x in (0, new.width - 8)]
    bright = [place for place, corner in enumerate(corners) if corner.getextrema()[0] > 128]  # type: ignore[operator]
    assert bright == [{1: 0, 2: 1, 3: 3, 4: 2, 5: 0, 6: 1, 7: 3, 8: 2}[orientation]]
    assert new.size == ((32, 64) if orientation >= 5 else (64, 32))
