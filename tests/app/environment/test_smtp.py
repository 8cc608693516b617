"""`famichat doctor` checks the SMTP server."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest

from famichat.app.environment.check import Check
from famichat.app.environment.smtp import check_smtp
from famichat.mail import smtp
from famichat.settings import Settings
from tests.support.mail_server import SECRET, USER, mail_server


async def checked(folder: Path, url: str | None) -> Check:
    return await asyncio.to_thread(check_smtp, Settings(data_dir=folder, smtp_url=url))


async def test_the_check_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_server(sign_in=True) as server:
        at = f"@127.0.0.1:{server.port}"
        right = await checked(tmp_path, f"smtp://{quote(USER)}:{quote(SECRET, safe='')}{at}")
        wrong = await checked(tmp_path, f"smtp://{quote(USER)}:wrong{at}")
        monkeypatch.setattr(smtp, "_is_this_machine", lambda _: False)
        plain = await checked(tmp_path, f"smtp://127.0.0.1:{server.port}")
    absent = await checked(tmp_path, f"smtp://127.0.0.1:{server.port}")
    none = await checked(tmp_path, None)

    assert (right.status, none.status) == (Check.OK, Check.OK)
    assert [each.status for each in (wrong, plain, absent)] == [Check.BAD] * 3
    assert "refuses the user or password" in wrong.detail
    assert "STARTTLS" in plain.detail
    assert f"no SMTP at 127.0.0.1:{server.port}" in absent.detail
