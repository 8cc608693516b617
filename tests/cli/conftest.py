from pathlib import Path

import pytest

from tests.support.operator import Operator


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """An operator whose server has no database yet."""
    return Operator(tmp_path / "data")


@pytest.fixture
def at_home(operator: Operator) -> Operator:
    """An operator whose server has one user, Anna Berg."""
    operator("user", "add", "anna", "--email", "anna@example.org", "--password-stdin", given="a long enough one\n")
    operator("family", "add", "Berg", "--admin", "anna")
    return operator
