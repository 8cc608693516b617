"""The official npm client, in its current and an older version, against Famichat itself."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.support.app import RunningApp
from tests.support.node import FOLDER, install_clients, program

SCENARIOS = sorted(path.name for path in (Path(__file__).parent / "famichat").glob("*.mjs"))


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("client", ["phoenix", "phoenix-1.7"])
async def test_the_official_client_talks_with_famichat(app: RunningApp, client: str, scenario: str) -> None:
    install_clients()
    home = app.home
    process = await asyncio.create_subprocess_exec(
        *(program("node"), "--test", "--test-force-exit", "--test-reporter=spec", f"famichat/{scenario}"),
        cwd=FOLDER,
        env={
            "PATH": os.environ["PATH"],
            "PHOENIX": client,
            "SERVER_URL": app.url,
            "MAJA": app.token(home.maja),
            "EMIL": app.token(home.emil),
            "ADA": app.token(home.ada),
            "MAJA_ID": home.maja.user_id,
            "EMIL_ID": home.emil.user_id,
            "DIRECT": app.talks.direct,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(90):
        output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
