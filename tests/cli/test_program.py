import subprocess
import sys
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from famichat.cli.expected import to_message
from famichat.cli.program import program
from famichat.cli.refusal import Refused
from tests.support.program import famichat


def test_it_says_its_version_and_what_it_can_do() -> None:
    assert famichat("--version").stdout == f"{version('famichat')}\n"
    assert "serve" in famichat("-h").stdout


@pytest.mark.parametrize("arguments", [["dance"], ["serve", "--port", "70000"], ["user", "add"], ["listen"]])
def test_a_wrong_call_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(program, arguments).exit_code == 2


def test_every_command_that_answers_can_do_so_in_json() -> None:
    silent = {"sql", "shell", "export", "openapi"}  # the last two print nothing but JSON
    without = [
        name
        for name, command in _commands(program)
        if name not in silent and not any("--json" in option.opts for option in command.params)
    ]

    assert without == []


def test_every_command_says_what_it_does() -> None:
    assert [name for name, command in _commands(program) if not command.help] == []


def test_an_unexpected_error_is_not_hidden() -> None:
    assert to_message(ZeroDivisionError()) is None
    assert to_message(BrokenPipeError()) is None


def test_an_unknown_error_code_gets_a_general_sentence() -> None:
    assert str(Refused("of next year")) == "The server refused the request"


def test_control_characters_from_a_server_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Refused("strange", "\x1b[2JAll is well").show()

    assert capsys.readouterr().err == "famichat: ?[2JAll is well (strange)\n"


def test_client_commands_do_not_import_the_server() -> None:
    loaded = (
        "import sys, famichat.cli.{}; print(*(set(sys.modules) & {{'fastapi', 'sqlalchemy', 'famichat.app.server'}}))"
    )
    by_module = {
        module: _printed_by(loaded.format(module)).split() for module in ("program", "member.messages", "operator.user")
    }

    assert by_module == {"program": [], "member.messages": [], "operator.user": ["sqlalchemy"]}


def test_modules_that_open_the_database_import_all_models() -> None:
    script = "import {}; from famichat.storage.base import Base; print(*sorted(Base.metadata.tables))"
    by_module = {
        module: _printed_by(script.format(module))
        for module in ("famichat.cli.operator.opened_data", "famichat.cli.operator.backup", "famichat.app.server")
    }

    assert (
        by_module["famichat.cli.operator.opened_data"]
        == by_module["famichat.cli.operator.backup"]
        == by_module["famichat.app.server"]
    )


def _printed_by(code: str) -> str:
    """Return the output of code in a fresh Python process without loaded modules."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def _commands(group: click.Group) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += _commands(command) if isinstance(command, click.Group) else [(name, command)]
    return found
