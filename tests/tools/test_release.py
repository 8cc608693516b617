"""The version has one source, and a release moves the unreleased entries into its section of the changelog."""

import json
import re
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest

from tools.release import NotReleasable, with_section, with_version

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
ENTRIES = "# Changelog\n\n## Unreleased\n\n### Fixed\n\n- A fault.\n\n## 1.0.0 - 2026-01-01\n\n- The first.\n"


def test_the_package_the_server_and_the_changelog_have_the_same_version() -> None:
    current = tomllib.loads(PROJECT)["project"]["version"]
    sections = re.findall(r"^## (\S+) - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)

    assert version("famichat") == current
    assert sections[0] == current
    assert sections == sorted(sections, key=lambda each: [int(part) for part in each.split(".")], reverse=True)


def test_the_web_client_has_no_version_of_its_own() -> None:
    assert "version" not in json.loads((ROOT / "web/package.json").read_text())


def test_a_release_sets_the_version_and_nothing_else() -> None:
    released = with_version(PROJECT, "99.0.0")

    assert tomllib.loads(released)["project"]["version"] == "99.0.0"
    assert len(set(released.splitlines()) - set(PROJECT.splitlines())) == 1


def test_the_unreleased_entries_become_the_section_of_the_version() -> None:
    assert with_section(ENTRIES, "1.1.0", date(2026, 12, 1)) == (
        "# Changelog\n\n## Unreleased\n\n## 1.1.0 - 2026-12-01\n\n### Fixed\n\n- A fault.\n\n"
        "## 1.0.0 - 2026-01-01\n\n- The first.\n"
    )


@pytest.mark.parametrize(
    ("given", "reason"), [("1.2", "is no version"), ("v1.2.3", "is no version"), ("0.0.1", "is not newer than")]
)
def test_a_version_that_cannot_follow_is_refused(given: str, reason: str) -> None:
    with pytest.raises(NotReleasable, match=reason):
        with_version(PROJECT, given)


@pytest.mark.parametrize("changelog", ["# Changelog\n", ENTRIES.replace("- A fault.\n\n", "")])
def test_a_release_without_changes_is_refused(changelog: str) -> None:
    with pytest.raises(NotReleasable, match="no entries"):
        with_section(changelog, "1.1.0", date(2026, 12, 1))
