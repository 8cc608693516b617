import pytest

from famichat.attachments.content_type import PICTURES, PLAIN, renamed, sniff
from tests.support.photos import photo


@pytest.mark.parametrize("content_type", PICTURES)
def test_an_image_type_is_detected_from_the_first_bytes(content_type: str) -> None:
    assert sniff(photo(content_type)[:16]) == content_type


@pytest.mark.parametrize(
    "start",
    [b"", b"<svg onload=alert(1)>", b"<!doctype html>", b"<?xml version='1.0'?>", b" \xff\xd8\xff", b"RIFF1234AVI "],
)
def test_files_that_could_contain_scripts_have_the_generic_type(start: bytes) -> None:
    assert sniff(start) == PLAIN


@pytest.mark.parametrize(
    ("start", "content_type"),
    [
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif", "image/avif"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (b"\0\0\0\x18ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"\0\0\0\x18ftypiso5", "video/mp4"),
        (b"\x1aE\xdf\xa3\x01", "video/webm"),
        (b"OggS\0", "audio/ogg"),
        (b"%PDF-1.7", "application/pdf"),
        (b"RIFF\n\n\n\nWAVE", "audio/wav"),
    ],
)
def test_other_kinds_are_known_too(start: bytes, content_type: str) -> None:
    assert sniff(start) == content_type


@pytest.mark.parametrize(
    ("name", "content_type", "now"),
    [
        ("lake.heic", "image/jpeg", "lake.jpg"),
        ("LAKE.HEIC", "image/jpeg", "LAKE.jpg"),
        ("scan.tiff", "image/webp", "scan.webp"),
        ("lake", "image/jpeg", "lake.jpg"),
        ("lake.2.avif.x", "image/jpeg", "lake.2.avif.x.jpg"),
        (".heic", "image/jpeg", ".heic.jpg"),
    ],
)
def test_a_picture_that_became_another_type_is_called_so(name: str, content_type: str, now: str) -> None:
    assert renamed(name, content_type) == now
