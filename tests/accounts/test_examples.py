import doctest
from types import ModuleType

import pytest

from famichat import typed_text
from famichat.accounts.names import display_name, username


@pytest.mark.parametrize("module", [username, display_name, typed_text], ids=["username", "display_name", "typed_text"])
def test_the_examples_in_the_docstrings_are_true(module: ModuleType) -> None:
    found = doctest.testmod(module)

    assert found.attempted > 0
    assert found.failed == 0
