"""Prepares a release: sets the version, and moves the unreleased entries of the changelog into its section.

    python -m tools.release 0.2.0

`./run release` then builds the packages, commits and tags.
"""

import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNRELEASED = "## Unreleased\n"
_VERSION_LINE = re.compile(r'^version = "(\d+\.\d+\.\d+)"$', re.MULTILINE)
_SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class NotReleasable(Exception):
    """A release that cannot be made; the message says why."""


def with_version(project: str, version: str) -> str:
    """Return the text of pyproject.toml with another version.

    Raises:
        NotReleasable: it is no version, or not a newer one.
    """
    if _SEMANTIC.fullmatch(version) is None:
        raise NotReleasable(f"{version} is no version such as 1.2.3 (semver.org)")
    found = _VERSION_LINE.search(project)
    if found is None:
        raise NotReleasable("pyproject.toml has no version")
    if _parts(version) <= _parts(found[1]):
        raise NotReleasable(f"{version} is not newer than {found[1]}, the version in pyproject.toml")
    return project[: found.start()] + f'version = "{version}"' + project[found.end() :]


def with_section(changelog: str, version: str, on: date) -> str:
    """Return the changelog with its unreleased entries in the section of a version.

    Raises:
        NotReleasable: there are no unreleased entries.
    """
    before, heading, after = changelog.partition(UNRELEASED)
    entries = after.partition("\n## ")[0]
    if not heading or not re.search(r"^- ", entries, re.MULTILINE):
        raise NotReleasable('CHANGELOG.md has no entries under "Unreleased"')
    return f"{before}{UNRELEASED}\n## {version} - {on.isoformat()}\n{after}"


def main() -> None:
    """Change both files, or neither."""
    version = sys.argv[1]
    project, changelog = ROOT / "pyproject.toml", ROOT / "CHANGELOG.md"
    try:
        changed = with_version(project.read_text(), version)
        described = with_section(changelog.read_text(), version, datetime.now(UTC).date())
    except NotReleasable as reason:
        raise SystemExit(str(reason)) from None
    project.write_text(changed)
    changelog.write_text(described)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    main()
