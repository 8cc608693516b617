from pathlib import Path
from unittest.mock import patch

import pytest

from tests.verification.verify import main


def test_one_notification_goes_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "verification.log"

    with patch("sys.argv", ["verify", "--log", str(kept)]):
        code = main()

    told = kept.read_text()
    assert code == 0, told
    assert told == capsys.readouterr().out
    assert told.endswith("VERIFY  the notification went from end to end\n")
    assert "Bearer <access token of emil>" in told
