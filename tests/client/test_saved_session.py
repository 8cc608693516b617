from dataclasses import replace
from pathlib import Path

import pytest

from famichat.cli.refusal import Refused
from famichat.cli.saved_session import SavedSession, SignedIn

MAJA = SignedIn("http://here", "access-1", "refresh-1", "id", "maja")


@pytest.fixture
def saved(tmp_path: Path) -> SavedSession:
    return SavedSession(tmp_path / "config" / "famichat" / "session.json")


def test_who_signs_in_is_remembered_until_forgotten(saved: SavedSession) -> None:
    saved.save(MAJA)
    remembered = saved.load()
    saved.forget()

    assert remembered == MAJA
    assert saved.load() is None


def test_a_refresh_token_that_another_terminal_has_used_is_not_used_again(saved: SavedSession) -> None:
    newer = replace(MAJA, access_token="access-2", refresh_token="refresh-2")
    saved.save(newer)

    def never(_: SignedIn) -> SignedIn:
        raise AssertionError("this would sign the device out")

    assert saved.renew(MAJA, never) == newer


def test_a_renewed_session_is_kept(saved: SavedSession) -> None:
    saved.save(MAJA)
    newer = replace(MAJA, access_token="access-2", refresh_token="refresh-2")

    assert saved.renew(MAJA, lambda _: newer) == newer
    assert saved.load() == newer


@pytest.mark.parametrize("text", ["", "[]", '{"url": 1}', '{"surprise": 1}'])
def test_a_damaged_file_is_told_in_words(saved: SavedSession, text: str) -> None:
    saved.save(MAJA)
    saved.path.write_text(text)

    with pytest.raises(Refused, match="famichat login"):
        saved.load()
