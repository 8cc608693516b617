"""Third-party packages are pinned by hash (S40)."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_every_python_package_is_held_to_a_hash() -> None:
    logical = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    packages = [line for line in logical.splitlines() if re.match(r"[A-Za-z0-9]", line)]

    assert len(packages) > 50
    assert [line for line in packages if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("folder", ["web", "tests/conformance"])
def test_every_package_of_the_pages_is_held_to_a_hash(folder: str) -> None:
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    fetched = {name: each for name, each in packages.items() if name and not each.get("link")}

    assert fetched
    assert [name for name, each in fetched.items() if not each.get("integrity", "").startswith("sha512-")] == []
