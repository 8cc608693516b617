"""docs/running.md names every setting, with its default, and every code of the program."""

import re
from pathlib import Path
from typing import Any

import pytest

from famichat.cli.refusal import Refused
from famichat.error_codes import CODES
from famichat.settings import Settings
from famichat.storage.problems import PROBLEMS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "running.md").read_text()
IN_WORDS = {
    "otlp_endpoint",
    "database_url",
    "files_dir",
    "backup_dir",
    "backup_recipient",
    "app_color",
    "app_logo",
    "public_url",
    "other_urls",
    "secret_key",
    "vault_keys",
    "trusted_proxies",
    "pubsub_url",
    "smtp_url",
    "smtp_from",
    "metrics_token",
}


def test_the_page_lists_every_setting_in_the_order_of_the_class() -> None:
    listed = re.findall(r"^\| `FAMICHAT_(\w+)` \|", PAGE, re.MULTILINE)

    assert listed == [name.upper() for name in Settings.model_fields]


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - IN_WORDS))
def test_the_page_gives_the_default(name: str) -> None:
    default: Any = Settings.model_fields[name].default
    written = str(default).lower() if isinstance(default, bool) else str(default)

    assert f"| `FAMICHAT_{name.upper()}` | `{written}` |" in PAGE


def test_the_page_lists_every_code_that_only_the_program_has() -> None:
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))
    source = "".join(path.read_text() for path in (ROOT / "src/famichat/cli").rglob("*.py"))
    used = set(re.findall(r'Refused\(\s*"(\w+)"', source)) | set(
        re.findall(r'^    \(\w+, "(\w+)"', source, re.MULTILINE)
    )
    # Commands print the errors of the client with their codes.
    client_errors = (ROOT / "src/famichat/client/errors.py").read_text()
    used |= set(re.findall(r'super\(\).__init__\("(\w+)"', client_errors))

    used |= set(PROBLEMS)

    assert listed == (used - set(CODES)) | {"invalid_settings"}
    assert Refused("ambiguous", "Two of them").code in listed
