"""What a program loads that uses the client: `famichat send` starts quickly, and a bot does not load the server."""

import subprocess
import sys

import famichat.client


def loaded_by(statement: str) -> set[str]:
    """The modules that a new interpreter has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    )


def test_the_client_loads_nothing_of_the_server() -> None:
    loaded = loaded_by("import famichat.client.client")

    ours = {name.split(".")[1] for name in loaded if name.startswith("famichat.")}
    assert ours <= {"client", "error_codes"}


def test_a_command_that_sends_loads_neither_the_server_nor_websockets() -> None:
    loaded = loaded_by("import famichat.cli.member.messages")

    assert loaded.isdisjoint(
        {"websockets", "sqlalchemy", "fastapi", "pydantic", "famichat.storage", "famichat.settings"}
    )


def test_every_public_name_can_be_imported() -> None:
    for name in famichat.client.__all__:
        assert getattr(famichat.client, name).__name__ == name
