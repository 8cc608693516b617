import ast
from pathlib import Path

import pytest

import famichat.app

MAX_IMPORTS = 25
MODULES = sorted(Path(famichat.app.__path__[0]).glob("*.py"))


def imported_modules(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_module_of_app_imports_more_than_25_modules(module: Path) -> None:
    assert len(imported_modules(module.read_text())) <= MAX_IMPORTS


def test_imports_inside_functions_count_too() -> None:
    assert imported_modules("import a, b.c\ndef f():\n    from d import e, f\n    from d import g") == {"a", "b.c", "d"}
