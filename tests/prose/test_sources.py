"""Finding the prose: docstrings, comments, documents and texts, each with its line."""

from pathlib import Path

from tests.prose import sources
from tests.prose.check import ROOT


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_python_has_docstrings_and_comments(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a.py",
        '"""A module."""\n\nX = "# no comment"  # the first\n# and the second line\n\n\n'
        'def f() -> None:\n    """Do it."""\n    g()  # noqa: S101, E501 (reason)\n',
    )

    assert [(passage.line, passage.text) for passage in sources.python_prose(path)] == [
        (1, "A module."),
        (8, "Do it."),
        (3, "the first\nand the second line"),
        (9, " (reason)"),
    ]


def test_python_sentences_are_strings_that_are_no_docstrings(tmp_path: Path) -> None:
    path = write(
        tmp_path, "a.py", '"""A module with words."""\nX = {"not_found": Code(404, "There is nothing here.")}\n'
    )

    assert [(passage.line, passage.text) for passage in sources.python_strings(path)] == [(2, "There is nothing here.")]


def test_openapi_texts_are_keyword_arguments(tmp_path: Path) -> None:
    path = write(tmp_path, "a.py", 'router.get("/me/passkeys", summary="List passkeys")\nField(description="A" "B")\n')

    assert [passage.text for passage in sources.openapi_texts(path)] == ["List passkeys", "AB"]


def test_scripts_have_three_kinds_of_comments(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "A.svelte",
        '<script>\n  const url = "https://a"  // one\n  // more\n/** Two\n   * lines. */\n</script><!-- three -->\n',
    )

    assert [(passage.line, passage.text.split()) for passage in sources.script_comments(path)] == [
        (2, ["one", "more"]),
        (4, ["Two", "lines.", "*/"]),
        (6, ["three", "-->"]),
    ]


def test_interface_texts_have_no_keys(tmp_path: Path) -> None:
    path = write(
        tmp_path, "en.ts", '/** A comment. */\nexport const en = { "a.b": "Sign in here", "c.d": { one: "{n} a" } }\n'
    )

    assert [passage.text for passage in sources.script_texts(path)] == ["Sign in here", "{n} a"]


def test_shell_comments_and_help(tmp_path: Path) -> None:
    path = write(tmp_path, "run", '#!/bin/bash\nrun:test() { #: run the tests\n  echo "$#" ${x#y} # why\n}\n')

    assert [(passage.line, passage.text) for passage in sources.shell_comments(path)] == [
        (2, "run the tests"),
        (3, "why"),
    ]


def test_documents_lose_their_code_and_keep_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "a.md", "One `what is`.\n\n```bash\nnobody\n```\n\n[Two](nobody.md)\n")

    assert sources.document(path).text == "One X.\n\n\n\n\n\n[Two]\n"


def test_every_package_of_the_repository_is_a_group() -> None:
    found = sources.groups(ROOT)

    packages = {path.parent.name for path in (ROOT / "src/famichat").glob("*/__init__.py")}
    assert packages <= {group.removeprefix("src/famichat/") for group in found}
    assert {"tests", "docs/*.md", "docs/decisions/*.md", "./*.md", "interface", "error titles"} <= set(found)
    assert all(not passage.path.is_absolute() for passages in found.values() for passage in passages)
