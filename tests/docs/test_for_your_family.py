"""docs/for-your-family.md names commands and settings that exist, with values that the server accepts."""

import re
from pathlib import Path

import pytest

from famichat.cli.program import program
from famichat.settings import load_settings

PAGE = (Path(__file__).parents[2] / "docs/for-your-family.md").read_text()


def test_every_command_exists() -> None:
    commands = {command for block in re.findall(r"`+[^`]+`+", PAGE) for command in re.findall(r"famichat (\w+)", block)}

    assert commands == {"serve", "user", "doctor"}
    assert commands <= set(program.list_commands(program.make_context("famichat", ["openapi"])))


def test_the_settings_of_the_example_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in re.findall(r"^export (FAMICHAT_\w+)=(\S+)", PAGE, re.MULTILINE):
        monkeypatch.setenv(name, value)

    assert load_settings().origins == ("https://chat.example.org", "http://192.168.1.20:4000")
