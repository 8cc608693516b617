"""Key rotation under load: every server loads the new key without a restart, and clients are not affected."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from famichat.storage.crypto.key_rotation import KeyRotation
from famichat.storage.crypto.vault import KEY_BYTES, Vault
from famichat.storage.crypto.vault_keys import settle
from famichat.storage.data_dir import DataDir, Secrets
from famichat.storage.database import Database
from famichat.telemetry.events import Event, VaultKeyMissing, VaultKeyUsed, VaultNotKept, VaultResealed
from tests.factories.people import SECRET, VAULT
from tests.support.app import RunningApp, running_app, served
from tests.support.operator import Operator
from tests.support.running import running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("famichat.storage.crypto.key_rotation.EVERY_SECONDS", 0.05)
    for module in ("famichat.storage.crypto.key_rotation", "famichat.cli.operator.vault"):
        monkeypatch.setattr(f"{module}.SETTLING", timedelta(seconds=0.2))


@asynccontextmanager
async def nodes(database_url: str, folder: Path) -> AsyncIterator[list[RunningApp]]:
    """The servers of a deployment with key files: one on SQLite, two on PostgreSQL."""
    DataDir(folder / "data").restore_secrets(Secrets(SECRET, dict(VAULT.keys)))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_app(database_url, folder, secret_key=None, vault_keys=None))
        servers = [first]
        if not database_url.startswith("sqlite"):
            shutil.copytree(folder / "data", folder / "other", ignore=shutil.ignore_patterns("run"))
            settings = first.settings.model_copy(update={"data_dir": folder / "other"})
            ready = await stack.enter_async_context(served(settings))
            servers.append(replace(first, url=ready.url, settings=settings))
        yield servers


async def say(app: RunningApp, body: str) -> None:
    async with app.http(app.home.maja) as http:
        assert (await http.post(f"/conversations/{app.talks.direct}/messages", json={"body": body})).status_code == 201


async def bodies(app: RunningApp) -> list[Any]:
    async with app.http(app.home.emil) as http:
        page = (await http.get(f"/conversations/{app.talks.direct}/messages")).json()
    return [each["body"] for each in page["messages"]]


async def test_people_talk_on_while_every_server_takes_a_new_key(
    database_url: str, tmp_path: Path, emitted: list[Event]
) -> None:
    operator = Operator(tmp_path / "data", database_url)
    async with nodes(database_url, tmp_path) as servers:
        sent = [f"before {n}" for n in range(20)]
        for number, body in enumerate(sent):
            await say(servers[number % len(servers)], body)
        if len(servers) > 1:
            await asyncio.to_thread(operator, "vault", "rotate", "--prepare")
            shutil.copy(tmp_path / "data" / "secrets.json", tmp_path / "other")
        rotating = asyncio.create_task(asyncio.to_thread(operator, "vault", "rotate"))
        while not rotating.done():
            sent.append(f"meanwhile {len(sent)}")
            await say(servers[len(sent) % len(servers)], sent[-1])
            assert [await bodies(each) for each in servers] == [sent[-200:]] * len(servers)
        rotated = await rotating
        sent.append("after")
        await say(servers[-1], "after")
        assert [await bodies(each) for each in servers] == [sent[-200:]] * len(servers)
        status = await asyncio.to_thread(operator, "vault", "status")

    assert (rotated["version"], rotated["unopened"], status["sealing"], status["unfinished"]) == (2, 0, 2, False)
    assert [sum(each["sealed"].values()) for each in status["keys"]] == [0, len(sent) + 5]
    assert emitted.count(VaultKeyUsed(version=2)) == len(servers)
    assert [type(event) for event in emitted if isinstance(event, VaultKeyMissing | VaultNotKept)] == []
    assert (VaultResealed in map(type, emitted)) is (len(servers) == 1)


async def test_a_server_without_the_key_of_the_other_nodes_warns_once_and_continues(
    database: Database, emitted: list[Event]
) -> None:
    newer = {**VAULT.keys, 2: b"\x08" * KEY_BYTES}
    database.run(lambda session: settle(session, newer, use_newest=True))
    vault = Vault(VAULT.keys)
    keeper = KeyRotation(database, vault, kept=None)
    async with running(keeper):
        reported = await _told(emitted, VaultKeyMissing)
        vault.learn(newer)
        async with asyncio.timeout(10):
            while vault.sealing_version != 2:  # noqa: ASYNC110 - the vault has no event for it
                await asyncio.sleep(0.02)

    assert reported == [VaultKeyMissing(version=2)]


async def test_keys_that_cannot_be_read_just_now_are_asked_for_again(
    database: Database, tmp_path: Path, emitted: list[Event]
) -> None:
    here, vault = DataDir(tmp_path), Vault(VAULT.keys)
    database.run(lambda session: settle(session, VAULT.keys, use_newest=True))
    keeper = KeyRotation(database, vault, here.kept_vault_keys)
    async with running(keeper):
        reported = await _told(emitted, VaultNotKept)
        here.restore_secrets(Secrets(SECRET, {**VAULT.keys, 2: b"\x08" * KEY_BYTES}))
        async with asyncio.timeout(10):
            while 2 not in vault.keys:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

    assert reported == [VaultNotKept(error_type="SecretsMissing")]


async def _told(emitted: list[Event], kind: type[Event]) -> list[Event]:
    """Wait until an event was emitted, and check that it is not emitted again for a while."""
    async with asyncio.timeout(10):
        while not any(isinstance(event, kind) for event in emitted):  # noqa: ASYNC110 - a list has no event for it
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    return [event for event in emitted if isinstance(event, kind)]
