"""ICC profiles for the colour spaces that pictures name with code points."""

import io
import struct

import pytest
from PIL import Image, ImageCms

from famichat.attachments.color_profile import code_points, named_profile


def named(primaries: int, transfer: int) -> bytes:
    """The colour box of an AVIF or HEIC picture."""
    return struct.pack(">I8sHHHB", 19, b"colrnclx", primaries, transfer, 6, 0x80)


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 1), (9, 18), (12, 13), (1, 4), (1, 8)])
def test_white_and_grey_stay_neutral(primaries: int, transfer: int) -> None:
    profile = named_profile(named(primaries, transfer), "AVIF")
    assert profile is not None
    icc = ImageCms.ImageCmsProfile(io.BytesIO(profile))

    for grey in (0, 128, 255):
        picture = Image.new("RGB", (1, 1), (grey, grey, grey))
        converted = ImageCms.profileToProfile(picture, icc, ImageCms.createProfile("sRGB"))
        assert converted is not None
        red, green, blue = converted.getpixel((0, 0))  # type: ignore[misc]  # three colours
        assert max(red, green, blue) - min(red, green, blue) <= 1
        if transfer in {1, 13, 18}:
            assert green == pytest.approx(grey, abs=1)


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 13), (2, 2), (6, 6), (0, 0)])
def test_colours_that_look_like_srgb_need_no_profile(primaries: int, transfer: int) -> None:
    assert named_profile(named(primaries, transfer), "HEIF") is None


def test_code_points_are_read_only_where_a_format_has_them() -> None:
    chunk = struct.pack(">I4s4BI", 4, b"cICP", 12, 13, 0, 1, 0)

    assert code_points(named(12, 13), "AVIF") == (12, 13)
    assert code_points(named(12, 13), "JPEG") is None
    assert code_points(chunk + b"IDAT", "PNG") == (12, 13)
    assert code_points(b"IDAT" + chunk, "PNG") is None
