import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as RedisClient
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from famichat.app.environment.check import Check
from famichat.cli.operator.doctor.data import checks
from famichat.realtime.nats_broker import NatsClient
from famichat.settings import Settings
from famichat.storage.base import now
from famichat.storage.data_dir import DataDir, Secrets
from famichat.storage.database import Database
from tests.factories.people import SECRET, person
from tests.support.mls import published
from tests.support.nats import NATS_SERVER, Nats
from tests.support.operator import Operator
from tests.support.redis import Redis
from tests.support.stored_file import store_file

KEYS: Any = {1: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}


def test_a_healthy_server_passes(at_home: Operator) -> None:
    assert {Check.BAD} & set(_found(at_home).values()) == set()


def test_a_server_that_never_started_passes(tmp_path: Path) -> None:
    found = {check.name: check.status for check in checks(Settings(data_dir=tmp_path / "data"))}

    assert found["data directory"] == found["secrets"] == found["database"] == Check.NOTE


def test_an_old_or_missing_backup_is_noticed(at_home: Operator) -> None:
    data_dir = DataDir(at_home.data_dir)
    missing = _found(at_home)["backup"]
    data_dir.note_backup(now() - timedelta(days=2))
    recent = _found(at_home)["backup"]
    data_dir.note_backup(now() - timedelta(days=4))

    assert (missing, recent, _found(at_home)["backup"]) == (Check.NOTE, Check.OK, Check.NOTE)


def test_devices_without_keys_are_listed_if_encryption_is_required(at_home: Operator) -> None:
    settings = Settings(data_dir=at_home.data_dir)
    required = Settings(data_dir=at_home.data_dir, encryption_policy_group="required")
    database = Database(settings.effective_database_url)
    maja = database.run(lambda session: person(session, "maja"))
    listed = {check.name: check for check in checks(required)}["device keys"]
    database.run(lambda session: published(session, maja))
    database.close()

    assert "device keys" not in {check.name for check in checks(settings)}
    assert (listed.status, "maja's phone of maja" in listed.detail) == (Check.NOTE, True)
    assert {check.name: check for check in checks(required)}["device keys"].status == Check.OK


def test_keys_that_do_not_open_the_data_are_noticed(at_home: Operator) -> None:
    DataDir(at_home.data_dir).secrets_file.write_text(Secrets.fresh().to_json())

    assert _found(at_home)["sealed data"] == Check.BAD
    assert at_home.refused("doctor") == "not_well"


def test_lost_secrets_are_noticed(at_home: Operator) -> None:
    DataDir(at_home.data_dir).secrets_file.unlink()

    assert _found(at_home)["secrets"] == Check.BAD


def test_secrets_that_others_can_read_are_noticed(at_home: Operator) -> None:
    DataDir(at_home.data_dir).secrets_file.chmod(0o644)
    at_home.data_dir.chmod(0o755)

    found = _found(at_home)
    assert (found["secrets"], found["data directory"]) == (Check.BAD, Check.NOTE)


def test_secrets_may_come_from_the_settings(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret_key=SECRET, vault_keys=KEYS)

    assert {check.name: check.detail for check in checks(settings)}["secrets"] == "set by the settings"


@pytest.mark.parametrize("damage", [slice(0, 100), slice(4096, 8192), slice(8192, 20000)])
def test_a_damaged_database_file_is_noticed(at_home: Operator, damage: slice) -> None:
    file = at_home.data_dir / "famichat.db"
    content = bytearray(file.read_bytes())
    content[damage] = b"\xff" * len(content[damage])
    file.write_bytes(content)

    assert Check.BAD in _found(at_home).values()


def test_a_file_that_is_lost_or_damaged_is_noticed(at_home: Operator) -> None:
    path = store_file(at_home)
    whole = _found(at_home)["files"]
    path.write_bytes(path.read_bytes()[:-1])
    damaged = _found(at_home)["files"]
    path.unlink()

    assert (whole, damaged, _found(at_home)["files"]) == (Check.OK, Check.BAD, Check.BAD)


@pytest.mark.parametrize("service", ["redis", "nats"])
def test_a_broker_that_is_away_is_noticed(tmp_path: Path, service: str) -> None:
    settings = Settings(data_dir=tmp_path, pubsub_url=f"{service}://127.0.0.1:1")

    assert {check.name: check.status for check in checks(settings)}["broker"] == Check.BAD


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Debian's redis-server is not installed")
def test_a_running_server_that_does_not_listen_to_the_broker_is_noticed(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    settings = Settings(data_dir=tmp_path, pubsub_url=redis.url)
    try:
        with RedisClient.from_url(redis.url, retry=Retry(ConstantBackoff(0.05), 100)) as client:
            client.ping()
            with DataDir(tmp_path).lock(), client.pubsub() as server:
                deaf = _broker_check(settings)
                server.subscribe("famichat:a-deployment")
                server.get_message(timeout=5)
                listening = _broker_check(settings)
    finally:
        redis.kill()

    assert (deaf.status, listening.status) == (Check.BAD, Check.OK)
    assert "1 server listens" in listening.detail


@pytest.mark.skipif(NATS_SERVER is None, reason="Debian's nats-server is not installed")
async def test_doctor_counts_the_servers_that_listen_to_nats(tmp_path: Path) -> None:
    server = Nats()
    settings = Settings(data_dir=tmp_path, pubsub_url=server.url)
    nodes = [NatsClient(server.url, namespace) for namespace in ("a", "b")]
    try:
        with DataDir(tmp_path).lock():
            deaf = await asyncio.to_thread(_broker_check, settings)
            for node in nodes:
                await node.subscribe()
            listening = await asyncio.to_thread(_broker_check, settings)
    finally:
        for node in nodes:
            await node.close()
        server.kill()

    assert (deaf.status, listening.status) == (Check.BAD, Check.OK)
    assert "2 servers listen" in listening.detail


def _broker_check(settings: Settings) -> Check:
    return next(check for check in checks(settings) if check.name == "broker")


def test_variables_that_nothing_reads_are_noticed(at_home: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    valid = _found(at_home)["settings"]
    monkeypatch.setenv("FAMICHAT_SERVICE_HOST", "10.0.0.1")

    assert (valid, _found(at_home)["settings"]) == (Check.OK, Check.NOTE)


def test_a_running_server_is_named(at_home: Operator) -> None:
    with DataDir(at_home.data_dir).lock():
        report = at_home.run("doctor").stdout

    assert "a server is running" in report


def _found(operator: Operator) -> dict[str, str]:
    report = json.loads(operator.run("doctor", "--json").stdout)
    return {each["check"]: each["status"] for each in report["checks"]}
