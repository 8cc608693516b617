"""Every module has a test module of the same name, or an entry in modules_without_tests.toml."""

import tomllib
from pathlib import Path

import famichat

TESTS = Path(__file__).parent
SOURCE = Path(famichat.__path__[0])
ELSEWHERE = tomllib.loads((TESTS / "modules_without_tests.toml").read_text())


def test_every_module_has_a_test_module_or_says_where_it_is_tested() -> None:
    assert sorted(_without_test_module()) == sorted(ELSEWHERE)


def test_the_tests_that_are_named_instead_exist() -> None:
    named = {test for entry in ELSEWHERE.values() for test in entry["tests"]}

    assert [test for test in sorted(named) if not (TESTS / test).is_file()] == []
    assert [module for module, entry in ELSEWHERE.items() if not (entry["tests"] and entry["reason"])] == []


def _without_test_module() -> list[str]:
    modules = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.py")]
    return [
        module.as_posix()
        for module in modules
        if not module.name.startswith("__")
        and not module.is_relative_to("storage/migrations")
        and not (TESTS / module.parent / f"test_{module.name}").is_file()
    ]
