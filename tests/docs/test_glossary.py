"""docs/glossary.md defines each term once, in alphabetical order within its section."""

import re
from collections import Counter
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
SECTIONS = [
    re.findall(r"^\| (?!term |---)(.+?) \| (.+?) \| (.*?)\|$", section, re.MULTILINE) for section in PAGE.split("\n## ")
]


def test_each_term_is_defined_once() -> None:
    counted = Counter(term.lower() for section in SECTIONS for term, _, _ in section)

    assert len(counted) > 100
    assert [term for term, times in counted.items() if times > 1] == []


def test_terms_are_in_alphabetical_order() -> None:
    for section in SECTIONS:
        terms = [term.lower().replace("-", " ") for term, _, _ in section]
        assert terms == sorted(terms)
