import os
from dataclasses import replace
from pathlib import Path

import pytest

from famichat.client import SavedSession, Session, SessionDamaged

MAJA = Session("http://here", "access-1", "refresh-1", "id", "maja")


@pytest.fixture
def saved(tmp_path: Path) -> SavedSession:
    return SavedSession(tmp_path / "config" / "famichat" / "session.json")


def test_a_sign_in_is_remembered_until_sign_out(saved: SavedSession) -> None:
    saved.save(MAJA)
    remembered = saved.load()
    saved.forget()

    assert remembered == MAJA
    assert saved.load() is None


def test_only_the_owner_can_read_it(saved: SavedSession) -> None:
    saved.save(MAJA)

    assert saved.path.stat().st_mode & 0o777 == 0o600
    assert saved.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_write_that_fails_leaves_the_old_session_and_nothing_else(
    saved: SavedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved.save(MAJA)

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        saved.save(replace(MAJA, access_token="access-2"))

    assert saved.load() == MAJA
    assert list(saved.path.parent.iterdir()) == [saved.path]


@pytest.mark.parametrize("text", ["", "[]", '{"url": 1}', '{"surprise": 1}'])
def test_a_damaged_file_is_reported_in_a_sentence(saved: SavedSession, text: str) -> None:
    saved.save(MAJA)
    saved.path.write_text(text)

    with pytest.raises(SessionDamaged, match="Sign in again") as damaged:
        saved.load()
    assert damaged.value.code == "session_damaged"
