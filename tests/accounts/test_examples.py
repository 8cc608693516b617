import doctest
from types import ModuleType

import pytest

from famichat.accounts.names import display_name, username


@pytest.mark.parametrize("module", [username, display_name], ids=["username", "display_name"])
def test_the_examples_in_the_docstrings_are_true(module: ModuleType) -> None:
    found = doctest.testmod(module)

    assert found.attempted > 0
    assert found.failed == 0
