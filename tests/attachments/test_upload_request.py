import pytest

from famichat.attachments.upload_request import UploadRequest


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("semester 2026.jpg", "semester 2026.jpg"),
        ("å.png", "å.png"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..\\..\\boot.ini", "_.._boot.ini"),
        ("a\r\nSet-Cookie: x", "a__Set-Cookie: x"),
        ("a\0b", "a_b"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("👩‍👩‍👧.png", "👩‍👩‍👧.png"),
        ("...", None),
        (None, None),
    ],
)
def test_a_name_can_deceive_neither_people_nor_programs(name: str | None, safe: str | None) -> None:
    assert UploadRequest(size=1, name=name).safe_name == safe
