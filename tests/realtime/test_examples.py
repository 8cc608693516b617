import doctest

import pytest

from famichat.realtime import message, serializer, socket, strict_json
from famichat.realtime.transport import query


@pytest.mark.parametrize("module", [message, query, serializer, socket, strict_json], ids=lambda each: each.__name__)
def test_the_examples_in_the_docstrings_are_true(module: object) -> None:
    found = doctest.testmod(module)  # type: ignore[arg-type] # they are modules

    assert found.attempted > 0
    assert found.failed == 0
