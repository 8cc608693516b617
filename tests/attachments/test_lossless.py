"""Lossless removal of metadata: pixels, colours and orientation stay, everything else goes."""

import io
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import Base

from famichat.attachments.lossless import without_metadata
from tests.support.photos import SECRETS, photo

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
IPTC = b"\xff\xed\x00\x20Photoshop 3.0\x008BIM by Emil...."


def noisy(mode: str) -> Image.Image:
    return Image.merge(mode, [Image.effect_noise((70, 50), 90) for _ in mode])


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png"])
def test_metadata_and_whatever_follows_the_picture_are_removed(content_type: str) -> None:
    data = photo(content_type) + b"PK\x03\x04<script>"
    assert SECRETS.search(data)

    new = without_metadata(data, content_type.removeprefix("image/").upper(), 1)

    assert not SECRETS.search(new)
    assert b"<script>" not in new
    assert len(opened(new).getexif()) == 0
    assert opened(new).tobytes() == opened(data).tobytes()


def test_comments_and_press_data_of_a_jpeg_are_removed() -> None:
    data = io.BytesIO()
    noisy("RGB").save(data, "JPEG", comment=b"by Emil")
    original = data.getvalue()

    new = without_metadata(original[:2] + IPTC + original[2:], "JPEG", 1)

    assert b"Emil" not in new
    assert opened(new).tobytes() == opened(original).tobytes()


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_pixels_and_the_profile_of_a_jpeg_are_unchanged(mode: str, options: dict[str, Any]) -> None:
    data = io.BytesIO()
    noisy(mode).save(data, "JPEG", icc_profile=PROFILE, **options)

    new = opened(without_metadata(data.getvalue(), "JPEG", 1))

    assert (new.mode, new.info["icc_profile"]) == (mode, PROFILE)
    assert new.tobytes() == opened(data.getvalue()).tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_the_orientation_is_the_only_exif_tag(kind: str, orientation: int) -> None:
    data = io.BytesIO()
    noisy("RGB").save(data, kind)

    new = opened(without_metadata(data.getvalue(), kind, orientation))

    assert dict(new.getexif()) == {Base.Orientation: orientation}


@pytest.mark.parametrize("lost", [1, 2, 200, 1000])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_picture_stays_readable(kind: str, lost: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    data = io.BytesIO()
    noisy("RGB").save(data, kind, icc_profile=PROFILE)
    truncated = data.getvalue()[:-lost]

    new = opened(without_metadata(truncated, kind, 1))

    assert new.info["icc_profile"] == PROFILE
    assert new.crop((0, 0, 70, 16)).tobytes() == opened(truncated).crop((0, 0, 70, 16)).tobytes()
