from pathlib import Path
from unittest.mock import patch

import pytest

from tests.verification.verify import main


def test_one_notification_arrives_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "verification.log"

    with patch("sys.argv", ["verify", "--log", str(log)]):
        code = main()

    report = log.read_text()
    assert code == 0, report
    assert report == capsys.readouterr().out
    assert report.endswith("VERIFY  the notification went from end to end\n")
    assert "Bearer <access token of emil>" in report
