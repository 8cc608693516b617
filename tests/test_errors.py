import importlib
import pkgutil
from collections.abc import Iterator

import famichat
from famichat.accounts.errors import AccountsError, InvalidUsername
from famichat.chat.errors import InvalidMessage
from famichat.error_codes import CODES
from famichat.errors import FamichatError

BASES = {"AccountsError", "ChatError", "AttachmentError"}


def subclasses(kind: type[FamichatError]) -> Iterator[type[FamichatError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_expected_error_has_a_code_of_the_registry() -> None:
    for module in pkgutil.walk_packages(famichat.__path__, "famichat."):
        if not module.name.startswith(("famichat.__main__", "famichat.storage.migrations")):
            importlib.import_module(module.name)
    expected = {kind for kind in subclasses(FamichatError) if kind.__name__ not in BASES}

    assert {"RateLimited", "InvalidTopic", "StorageUnavailable", "NotFound"} <= {kind.__name__ for kind in expected}
    assert [kind for kind in expected if kind.code not in CODES] == []


def test_a_message_is_for_the_log_and_details_are_for_the_client() -> None:
    assert (str(InvalidMessage("not this")), InvalidMessage("not this").details) == ("not this", {})
    assert (str(InvalidMessage(field="body")), InvalidMessage(field="body").details) == (
        "invalid_message",
        {"field": "body"},
    )


def test_a_message_about_an_account_is_for_the_client_too() -> None:
    assert issubclass(InvalidUsername, AccountsError)
    assert InvalidUsername("too short").details == {"detail": "too short"}
    assert InvalidUsername().details == {}
