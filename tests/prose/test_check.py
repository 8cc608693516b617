"""The ceilings: what fails, and how they are lowered."""

import tomllib
from pathlib import Path

from tests.prose import check
from tests.prose.patterns import Figures, Passage, measure


def figures(pronouns: int) -> Figures:
    """Return figures for 1,000 words of which this many are pronouns that count."""
    return measure([Passage(Path("a.py"), 1, "nobody " * pronouns + "word " * (1000 - pronouns))])


def test_a_figure_above_its_ceiling_fails() -> None:
    assert check.problems({"a": figures(3)}, {"a": {"pronouns": 2.0}}) == [
        '"a" has 3.00 pronouns per 1,000 words; its ceiling is 2.0.'
    ]


def test_a_group_without_an_entry_has_the_target_as_its_ceiling() -> None:
    assert check.problems({"a": figures(0)}, {}) == []
    assert check.problems({"a": figures(1)}, {}) == ['"a" has 1.00 pronouns per 1,000 words; its ceiling is 0.5.']


def test_a_ceiling_has_to_follow_its_figure() -> None:
    assert check.problems({"a": figures(2)}, {"a": {"pronouns": 2.5}}) == []
    assert check.problems({"a": figures(2)}, {"a": {"pronouns": 2.6}}) == [
        '"a" has only 2.00 pronouns; lower its ceiling of 2.6 with --update.'
    ]


def test_a_ceiling_of_a_group_that_does_not_exist_fails() -> None:
    assert check.problems({}, {"a": {"pronouns": 2.0}}) == [
        '"a" is in ceilings.toml, but does not exist. Run with --update.'
    ]


def test_an_update_lowers_and_never_raises() -> None:
    measured = {"lower": figures(2), "higher": figures(9), "done": figures(0), "new": figures(5)}
    ceilings = check.lowered(measured, {group: {"pronouns": 4.0} for group in ("lower", "higher", "done", "gone")})

    assert ceilings == {"lower": {"pronouns": 2.0}, "higher": {"pronouns": 4.0}}


def test_written_ceilings_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "ceilings.toml"
    path.write_text(check.written({"docs/*.md": {"pronouns": 2.0, "phrases": 3.5}}))

    assert check.read_ceilings(path) == {"docs/*.md": {"pronouns": 2.0, "phrases": 3.5}}


def test_the_ceilings_are_as_the_update_writes_them() -> None:
    text = check.CEILINGS.read_text()

    assert check.written(tomllib.loads(text)) == text
