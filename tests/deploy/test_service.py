"""The files in deploy/ for systemd and containers."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from famichat.cli.program import program
from famichat.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = Path(__file__).parents[2] / "src/famichat/cli/operator/service/famichat.service"
CONTAINERFILE = (DEPLOY / "container/Containerfile").read_text()
FILES = [UNIT, *sorted((DEPLOY / "container").iterdir())]
MAX_EXPOSURE = 1.5
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1  # prctl(2): the kernel's form of MemoryDenyWriteExecute


def test_the_unit_confines_the_server() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    analyzed = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", UNIT], capture_output=True, text=True, check=False
    )

    level = re.search(r"Overall exposure level for famichat.service: ([0-9.]+)", analyzed.stdout)
    assert level is not None, analyzed.stderr
    assert float(level[1]) <= MAX_EXPOSURE


def test_the_server_and_its_image_worker_run_without_writable_executable_memory() -> None:
    script = f"""
import ctypes, io
ctypes.CDLL(None).prctl({PR_SET_MDWE}, {PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0)
import argon2, famichat.app.server, famichat.attachments.picture_worker, pillow_heif, PIL.Image, psycopg, uvloop
argon2.PasswordHasher().hash("x")
pillow_heif.register_heif_opener()
PIL.Image.new("RGB", (9, 9)).save(io.BytesIO(), "HEIF")
uvloop.new_event_loop().close()
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_deployments_use_settings_and_commands_that_exist(file: Path) -> None:
    settings = set(re.findall(r"FAMICHAT_([A-Z_]+)", file.read_text()))
    commands = set(re.findall(r'(?:@PROGRAM@|bin/famichat) (\w+)|"famichat", "(\w+)"', file.read_text()))

    assert settings <= {name.upper() for name in Settings.model_fields}
    assert {a or b for a, b in commands} <= set(program.list_commands(program.make_context("famichat", ["openapi"])))


def test_the_image_has_only_what_a_server_needs_and_no_root() -> None:
    last_stage = CONTAINERFILE.rpartition("\nFROM ")[2]
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE, re.MULTILINE)

    assert {name for line in copied for name in line.split()} == {"build.lock", "server.lock", "dist/famichat-*.whl"}
    assert "pip install" not in last_stage
    assert re.search(r"^USER 10001:10001$", last_stage, re.MULTILINE)
    assert CONTAINERFILE.count("--require-hashes") == CONTAINERFILE.count("--requirement")
