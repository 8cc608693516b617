"""The programs in docs/bots.md run unchanged against a real server."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.factories.people import PASSWORD
from tests.support.app import RunningApp

PAGE = (Path(__file__).parents[2] / "docs" / "bots.md").read_text()
PING, REMINDER, _ = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@asynccontextmanager
async def running(program: str, app: RunningApp, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a bot from the page as Emil."""
    variables = {"FAMICHAT_URL": app.url, "BOT_USERNAME": app.home.emil.username, "BOT_PASSWORD": PASSWORD}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=folder, env={**os.environ, **variables}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_the_bot_has_twenty_lines() -> None:
    assert len([line for line in PING.splitlines() if line]) <= 20


async def test_the_bot_answers_a_ping_once_even_if_it_is_restarted(app: RunningApp, tmp_path: Path) -> None:
    topic = f"message:family:{app.talks.family}"
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)
        for number in range(2):
            async with running(PING, app, tmp_path):
                while (await maja.assert_broadcast(topic, "presence_diff")).payload["joins"].keys() != {
                    app.home.emil.user_id
                }:
                    pass
                ping = (await maja.ask(topic, "new_msg", {"body": "ping", "client_id": f"ping-{number}"})).response
                answer = (await maja.assert_broadcast(topic, "new_msg", {"body": "pong"})).payload
                assert (answer["user_id"], answer["reply_to"]) == (app.home.emil.user_id, ping["message_id"])

        page = (await maja.ask(topic, "fetch", {"after_seq": 0})).response

    assert [each["body"] for each in page["messages"]] == ["ping", "pong", "ping", "pong"]


async def test_the_reminder_is_sent_once_a_day(app: RunningApp, tmp_path: Path) -> None:
    async with running(PING, app, tmp_path):  # signs in
        async with asyncio.timeout(30):
            while not (tmp_path / "bot-session.json").exists():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)
    for _ in range(2):
        async with running(REMINDER, app, tmp_path) as reminder:
            async with asyncio.timeout(30):
                _, errors = await reminder.communicate()
            assert reminder.returncode == 0, errors.decode()
    async with app.http(app.home.maja) as http:
        page = (await http.get(f"/conversations/{app.talks.family}/messages?after_seq=0")).json()

    assert len([each for each in page["messages"] if "does the dishes tonight" in each["body"]]) == 1
