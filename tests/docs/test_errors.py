"""docs/errors.md matches the registry of error codes."""

import re
from pathlib import Path

from famichat.accounts import errors as accounts_errors
from famichat.actions.rate_limit import LIMITS
from famichat.chat import errors as chat_errors
from famichat.e2ee.errors import MEANINGS, EncryptionErrorCode
from famichat.error_codes import CODES

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()


def test_the_page_lists_every_code_with_its_status_and_its_sentence() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\d{3}) \| ([^|]+) \|$", PAGE, re.MULTILINE)

    assert listed == [(code, str(known.status), known.title) for code, known in CODES.items()]


def test_the_page_lists_every_6xx_number() -> None:
    listed = re.findall(r"^\| (6\d\d) \| `(\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE)

    assert listed == [(str(code.value), code.name, MEANINGS[code]) for code in EncryptionErrorCode]


def test_the_page_lists_every_limit() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\d+) \| ([\d.]+) \|", PAGE, re.MULTILINE)

    assert {name: (float(burst), float(rate)) for name, burst, rate in listed} == {
        name: (limit.burst, limit.per_second) for name, limit in LIMITS.items()
    }


def test_every_error_of_the_domain_is_in_the_registry() -> None:
    kinds = [
        kind
        for module, root in ((accounts_errors, accounts_errors.AccountsError), (chat_errors, chat_errors.ChatError))
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, root) and kind is not root
    ]

    assert {kind.code for kind in kinds} <= set(CODES)
    assert len(kinds) > 15
