"""`famichat export` on the command line; `test_envelopes.py` verifies that every field survives."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from famichat.actions.rate_limit import LIMITS, Limit
from famichat.chat.records.message import Message
from famichat.cli.program import program
from famichat.storage.database import Database
from famichat.telemetry.events import Event, RateLimitThrottled
from tests.factories.people import Person
from tests.factories.talk import say
from tests.support.app import RunningApp, running_app


async def exported(app: RunningApp, who: Person, *arguments: str) -> list[dict[str, Any]]:
    signed_in = {"FAMICHAT_URL": app.url, "FAMICHAT_TOKEN": app.token(who)}
    ended = await asyncio.to_thread(CliRunner().invoke, program, ["export", *arguments], env=signed_in)
    assert ended.exit_code == 0, ended.output
    return [json.loads(line) for line in ended.stdout.split("\n")[:-1]]


def fill(app: RunningApp) -> None:
    """Create more than a page of messages in a conversation, archive it, and make one message unreadable."""
    database = Database(app.settings.effective_database_url)
    try:
        database.run(lambda session: say(session, app.talks.direct, app.home.emil, *(f"no. {n}" for n in range(205))))
        database.run(
            lambda session: session.execute(update(Message).where(Message.seq == 3).values(body=b"not sealed at all"))
        )
    finally:
        database.close()


async def test_the_export_contains_everything_visible_and_skips_unreadable_messages(
    app: RunningApp,
) -> None:
    await asyncio.to_thread(fill, app)
    async with app.http(app.home.maja) as http:
        await http.put(f"/conversations/{app.talks.direct}/archived")
        await http.put(f"/conversations/{app.talks.group}/hidden")
    begin, *between, end = await exported(app, app.home.maja)
    messages = [each for each in between if each["record"] == "message"]

    assert (begin["record"], begin["format"], begin["user"]["username"]) == ("export", 1, "maja")
    assert end == {"record": "end", "conversations": 4, "messages": 205}
    assert {each["id"] for each in between if each["record"] == "conversation"} == {
        app.talks.self, app.talks.direct, app.talks.group, app.talks.family
    }  # fmt: skip
    assert {each["username"] for each in between if each["record"] == "person"} == {"maja", "emil", "inga", "nils"}
    assert [each["seq"] for each in messages] == list(range(1, 206))
    assert (messages[2]["body"], messages[2]["error_code"]) == (None, 603)
    assert messages[3]["body"] == "no. 3"


async def test_one_conversation_can_be_exported_by_its_members_only(app: RunningApp) -> None:
    one = await exported(app, app.home.emil, app.talks.direct)
    adas = await exported(app, app.home.ada)

    assert [each["id"] for each in one if each["record"] == "conversation"] == [app.talks.direct]
    assert [each["record"] for each in adas] == ["export", "person", "end"]
    signed_in = {"FAMICHAT_URL": app.url, "FAMICHAT_TOKEN": app.token(app.home.ada)}
    refused = await asyncio.to_thread(CliRunner().invoke, program, ["export", app.talks.direct], env=signed_in)
    assert (refused.exit_code, refused.output[-12:]) == (1, "(not_found)\n")


async def test_a_long_export_waits_when_it_asks_too_often(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emitted: list[Event]
) -> None:
    monkeypatch.setitem(LIMITS, "read", Limit(burst=1, per_second=0.5))
    monkeypatch.setattr("famichat.cli.member.export._PAUSE_SECONDS", 0.05)
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    async with running_app(f"sqlite:///{tmp_path / 'famichat.db'}", tmp_path, rate_limits="on") as app:
        assert (await exported(app, app.home.maja, app.talks.direct))[-1]["conversations"] == 1

    assert RateLimitThrottled in map(type, emitted)
