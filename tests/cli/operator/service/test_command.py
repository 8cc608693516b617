"""`famichat service`, with programs that record what they are asked for in place of systemctl and useradd."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from famichat.cli.operator.service import command
from famichat.cli.program import program
from tests.support.operator import Operator

# Allows the system calls named on standard input, and runs the command.
_FILTERED = """
import errno, os, sys, pyseccomp
rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
for name in sys.stdin.read().split():
    try:
        rules.add_rule(pyseccomp.ALLOW, name)
    except (OSError, ValueError):
        pass  # another architecture has it
rules.load()
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


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


def allowed_by_the_unit() -> set[str]:
    """The system calls of the unit's `SystemCallFilter`: allowed groups, then exceptions (`~`)."""
    unit = Path(command.__file__).with_name("famichat.service").read_text()
    filters = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("SystemCallFilter=")]
    allowed = calls_of("@default") | {"execve"}
    for each in filters:
        named: set[str] = set().union(*map(calls_of, each.removeprefix("~").split()))
        allowed = allowed - named if each.startswith("~") else allowed | named
    return allowed


def calls_of(group: str) -> set[str]:
    command_line = ["systemd-analyze", "syscall-filter", group]
    listed = subprocess.run(command_line, capture_output=True, text=True, check=True).stdout
    entries = {line.strip() for line in listed.splitlines()[1:] if line.strip() and not line.strip().startswith("#")}
    groups = {each for each in entries if each.startswith("@")}
    return (entries - groups).union(*map(calls_of, groups))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: apt-get install systemd")
def test_the_data_and_the_picture_worker_are_well_with_the_system_calls_of_the_unit(at_home: Operator) -> None:
    filtered, doctor = [sys.executable, "-c", _FILTERED], ["-m", "famichat", "doctor", "--json", "--data-dir"]
    allowed = " ".join(allowed_by_the_unit())

    done = subprocess.run(
        [*filtered, *doctor, str(at_home.data_dir)], input=allowed, capture_output=True, text=True, check=False
    )

    checks = {each["check"]: each["status"] for each in json.loads(done.stdout)["checks"]}
    assert (checks["database"], checks["picture worker"]) == ("ok", "ok"), done.stdout
