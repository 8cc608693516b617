from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.services import RunningServices, running_services


@pytest.fixture
async def running(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[RunningServices]:
    """Services with the household, as actions take them."""
    async with running_services(migrated_sqlite, tmp_path) as services:
        yield services
