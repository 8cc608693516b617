"""Finds the prose of the repository, grouped by the package or folder that it belongs to.

Groups are found by looking at the tree, so a new package is measured without being registered anywhere.
"""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.prose.patterns import Passage

_DIRECTIVE = re.compile(
    r"noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w, -]+\])?|nosec(?:\s+B\d+)?|pragma: no cover"
)
# In TypeScript and Svelte: texts are matched first, so that "https://..." in one is not taken for a comment.
_SCRIPT = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"""
    r"""|(?P<line>(?://[^\n]*)(?:\n[ \t]*//[^\n]*)*)|(?P<block>/\*.*?\*/)|(?P<markup><!--.*?-->)""",
    re.DOTALL,
)
_MARGIN = re.compile(r"^[ \t]*(?://|/\*\*?|\*/|\*|<!--)?[ \t]?", re.MULTILINE)
_FENCED = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_LINK_TARGET = re.compile(r"(?<=\])\([^)\s]*\)")
_SENTENCE_WORDS = 3  # a string with fewer is a name or a format, not a sentence
_OPENAPI_KEYWORDS = {"summary", "description", "response_description"}


def groups(root: Path) -> dict[str, list[Passage]]:
    """Return the passages of every group, by the name under which `ceilings.toml` lists it."""
    found: dict[str, list[Passage]] = defaultdict(list)
    for group, passage in (*_python(root), *_web(root), *_documents(root)):
        found[group].append(Passage(passage.path.relative_to(root), passage.line, passage.text))
    return dict(sorted(found.items()))


def _python(root: Path) -> Iterator[tuple[str, Passage]]:
    source = root / "src/famichat"
    for folder in (root / "tests", root / "bench"):
        for path in _files(folder, "*.py"):
            yield from _in(folder.name, python_prose(path))
    for path in _files(source, "*.py"):
        yield from _in(_package(path, source), python_prose(path))
        if path.name in {"codes.py", "error_codes.py"}:
            yield from _in("error titles", python_strings(path))
        if path.is_relative_to(source / "cli"):
            yield from _in("command-line texts", python_strings(path))
        if path.is_relative_to(source / "endpoint"):
            yield from _in("OpenAPI texts", openapi_texts(path))


def _web(root: Path) -> Iterator[tuple[str, Passage]]:
    source = root / "web/src"
    for pattern in ("*.ts", "*.svelte", "*.css"):
        for path in _files(source, pattern):
            yield from _in(_package(path, source), script_comments(path))
    for path in _files(source / "i18n", "*en.ts"):
        yield from _in("interface", script_texts(path))


def _documents(root: Path) -> Iterator[tuple[str, Passage]]:
    for path in (*sorted(root.glob("*.md")), *_files(root / "docs", "*.md"), *_files(root / "deploy", "*.md")):
        yield f"{path.parent.relative_to(root)}/*.md", document(path)
    for path in (root / "run", root / ".ci/run"):
        yield from _in("scripts", shell_comments(path))


def _in(group: str, passages: Iterable[Passage]) -> Iterator[tuple[str, Passage]]:
    return ((group, passage) for passage in passages)


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if "node_modules" not in path.parts)


def _package(path: Path, root: Path) -> str:
    """Return the folder directly under `root` that has this file; files of `root` are a group too."""
    inside = path.relative_to(root)
    folder = root.parent.name + "/" + root.name
    return f"{folder}/{inside.parts[0]}" if len(inside.parts) > 1 else f"{folder}/*"


def python_prose(path: Path) -> Iterator[Passage]:
    """Yield the docstrings and the comments of a Python file. Adjacent comment lines are one passage."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield Passage(path, node.lineno, node.value.value)
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if block and line != last + 1:
            yield Passage(path, last - len(block) + 1, "\n".join(block))
            block = []
        block.append(_DIRECTIVE.sub("", token.string.lstrip("#! ")))
        last = line
    if block:
        yield Passage(path, last - len(block) + 1, "\n".join(block))


def python_strings(path: Path) -> Iterator[Passage]:
    """Yield the sentences among a Python file's strings: those with a few words that are not docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from _sentence(path, node.lineno, node.value)


def openapi_texts(path: Path) -> Iterator[Passage]:
    """Yield the summaries and descriptions that a module passes to FastAPI and Pydantic."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg in _OPENAPI_KEYWORDS:
            for constant in ast.walk(node.value):
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    yield Passage(path, constant.lineno, constant.value)


def script_comments(path: Path) -> Iterator[Passage]:
    """Yield the comments of a TypeScript, Svelte or CSS file. Adjacent `//` lines are one passage."""
    source = path.read_text()
    for match in _SCRIPT.finditer(source):
        if match.lastgroup != "text":
            yield Passage(path, _line(source, match.start()), _MARGIN.sub("", match.group()))


def script_texts(path: Path) -> list[Passage]:
    """Return the texts of an interface language. Keys and type names have no spaces, and are left out."""
    source = path.read_text()
    texts = (match for match in _SCRIPT.finditer(source) if match.lastgroup == "text")
    return [Passage(path, _line(source, match.start()), match.group()[1:-1]) for match in texts if " " in match.group()]


def shell_comments(path: Path) -> Iterator[Passage]:
    """Yield the comments of a shell script, with what `./run help` shows of them."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        comment = re.search(r"(?:^|\s)#(?![!}]):?\s*(.*)", line)
        if comment:
            yield Passage(path, number, re.sub(r"shellcheck disable=SC\d+", "", comment[1]))


def document(path: Path) -> Passage:
    """Return a Markdown document without its code and link targets; line numbers are kept."""
    text = _FENCED.sub(lambda match: "\n" * match.group().count("\n"), path.read_text())
    return Passage(path, 1, _LINK_TARGET.sub("", _INLINE_CODE.sub("X", text)))


def _sentence(path: Path, line: int, text: str) -> Iterator[Passage]:
    if len(re.findall(r"[A-Za-z]{2,}", text)) >= _SENTENCE_WORDS:
        yield Passage(path, line, text)


def _line(source: str, index: int) -> int:
    return source.count("\n", 0, index) + 1
