"""Downloads: byte ranges and file names."""

import pytest

from famichat.attachments.content_type import PLAIN
from famichat.attachments.downloads import ByteRange, open_download
from famichat.attachments.errors import RangeNotSatisfiable
from famichat.chat.errors import NotFound
from famichat.chat.records.attachment import Attachment, AttachmentSecrets
from tests.factories.people import VAULT


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, (0, 10)),
        ("bytes=0-", (0, 10)),
        ("bytes=2-4", (2, 5)),
        ("bytes=9-99", (9, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=0-1,4-5", (0, 10)),
        ("bytes=a-b", (0, 10)),
        ("lines=1-2", (0, 10)),
        ("bytes=-", (0, 10)),
        (f"bytes={'9' * 400}-", (0, 10)),
    ],
)
def test_a_range_is_read_as_the_rfc_says(header: str | None, span: tuple[int, int]) -> None:
    found = ByteRange.parse(header, 10)

    assert (found.start, found.stop) == span
    assert found.is_part == (span != (0, 10))


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=5-4"])
def test_a_range_beyond_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        ByteRange.parse(header, 10)

    assert refused.value.details == {"size": 10}


def attachment(name: str | None, content_type: str, *, encrypted: bool = False) -> Attachment:
    sealed = AttachmentSecrets(key="", name=name).seal(VAULT, "a")
    return Attachment(id="a", content_type=content_type, size=1, thumbnail_bytes=0, encrypted=encrypted, sealed=sealed)


@pytest.mark.parametrize(
    ("content_type", "encrypted", "kind"),
    [
        ("image/png", False, "inline"),
        ("image/png", True, "attachment"),
        ("image/heic", False, "attachment"),
        ("application/pdf", False, "attachment"),
        ("audio/ogg", False, "attachment"),
        (PLAIN, False, "attachment"),
    ],
)
def test_only_safe_pictures_are_shown_in_a_page(content_type: str, *, encrypted: bool, kind: str) -> None:
    found = open_download(attachment(None, content_type, encrypted=encrypted), "file", VAULT)

    assert found.disposition == kind


def test_a_name_is_written_so_that_it_cannot_become_a_header() -> None:
    found = open_download(attachment('mormors "kakor"; å.png', "image/png"), "file", VAULT)

    assert found.disposition == (
        "inline; filename=\"mormors _kakor__ _.png\"; filename*=UTF-8''mormors%20%22kakor%22%3B%20%C3%A5.png"
    )


def test_a_file_that_is_not_a_picture_has_no_thumbnail() -> None:
    with pytest.raises(NotFound):
        open_download(attachment(None, PLAIN), "thumbnail", VAULT)
