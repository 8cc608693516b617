"""A server for the client's tests: on SQLite only, because the client cannot see which database it talks to."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.app import RunningApp, running_app


@pytest.fixture
async def app(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[RunningApp]:
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    async with running_app(f"sqlite:///{tmp_path / 'famichat.db'}", tmp_path) as running:
        yield running
