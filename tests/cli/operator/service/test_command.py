"""`famichat service`, with programs that record what they are asked for in place of systemctl and useradd."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from famichat.cli.operator.service import command
from famichat.cli.program import program


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with systemd, and Famichat in /opt/famichat; `calls` lists the programs that were run."""
    for name in ("systemctl", "useradd"):
        fake = tmp_path / "bin" / name
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/calls\n')
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(command, "SYSTEMD", tmp_path)
    monkeypatch.setattr(command, "UNIT_FILE", tmp_path / "famichat.service")
    monkeypatch.setattr(command, "USER", "famichat-test")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sys, "executable", "/opt/famichat/bin/python")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["service", *arguments])


def test_installing_creates_the_user_writes_the_unit_and_starts_it(machine: Path) -> None:
    result = run("install")

    assert result.exit_code == 0, result.output
    assert (machine / "calls").read_text().splitlines() == [
        "useradd --system --home-dir /var/lib/famichat --shell /usr/sbin/nologin famichat-test",
        "systemctl daemon-reload",
        "systemctl enable famichat.service",
        "systemctl restart famichat.service",
    ]
    unit = (machine / "famichat.service").read_text()
    assert "ExecStart=/opt/famichat/bin/famichat serve\n" in unit
    assert unit == run("show").stdout
    assert "journalctl --unit famichat" in result.stdout


def test_it_can_be_repeated(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "USER", "root")

    assert (run("install", "--no-start").exit_code, run("install", "--no-start").exit_code) == (0, 0)
    assert not (machine / "calls").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("os.geteuid", lambda: 1000), "not_root"),
        (("sys.executable", "/root/.local/share/pipx/venvs/famichat/bin/python"), "program_in_home"),
        (("famichat.cli.operator.service.command.SYSTEMD", Path("/not/there")), "no_systemd"),
    ],
)
def test_what_cannot_work_is_refused_with_a_reason(
    machine: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, object], code: str
) -> None:
    monkeypatch.setattr(*change)
    refused = run("install")

    assert (refused.exit_code, f"({code})" in refused.stderr) == (1, True)
    assert not (machine / "famichat.service").exists()


def test_a_program_that_fails_is_named(machine: Path) -> None:
    (machine / "bin" / "systemctl").write_text("#!/bin/sh\nexit 3\n")

    assert "systemctl exited with status 3 (program_failed)" in run("install").stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    file = tmp_path / "famichat.service"
    file.write_text(command.unit(Path(sys.executable).parent / "famichat"))
    verified = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)

    assert [line for line in verified.stderr.splitlines() if "famichat" in line] == []
