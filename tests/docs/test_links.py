"""Every relative link of a document leads to a file, and every fragment to a heading."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the fragments that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links that do not exist."""
    text = FENCED.sub("", page.read_text())
    for target in (*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'src="([^"]+)"', text)):
        file, _, fragment = target.partition("#")
        path = page.parent / file if file else page
        if ":" not in file and (not path.exists() or (fragment and fragment not in anchors(path))):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    assert list(broken(page)) == []


def test_every_module_that_a_page_names_exists() -> None:
    files = ["/hatch_build.py"] + [
        f"/{path.relative_to(ROOT)}"
        for folder in ("src/famichat", "tests", "bench")
        for path in (ROOT / folder).rglob("*.py")
    ]
    named = {
        (page.name, module)
        for page in PAGES
        for module in re.findall(r"`([\w/]+\.py)\b", FENCED.sub("", page.read_text()))
    }

    assert [each for each in sorted(named) if not any(file.endswith(f"/{each[1]}") for file in files)] == []
