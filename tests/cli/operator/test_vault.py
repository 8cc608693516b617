"""Key rotation by an operator: with and without a server, interrupted, and with older backups."""

import json
import secrets
import signal
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from famichat.accounts.user import User
from famichat.chat.conversations.create import create_self_conversation
from famichat.chat.records.message import BODY_PURPOSE, Message
from famichat.cli.operator.opened_data import open_for_writing, open_readonly
from famichat.settings import load_settings
from famichat.storage.base import new_id
from famichat.storage.data_dir import DataDir, Secrets
from tests.support.operator import Operator
from tests.support.program import famichat, started

MANY = 3000


def fill(at_home: Operator, count: int) -> None:
    """Send messages in Anna's notes to herself."""
    with open_for_writing(load_settings(data_dir=at_home.data_dir)) as data:

        def write(session: Any) -> None:
            user = session.execute(select(User)).scalar_one()
            notes = create_self_conversation(session, user.id).conversation
            ids = [new_id() for _ in range(count)]
            session.add_all(
                Message(
                    id=each,
                    conversation_id=notes.id,
                    seq=seq,
                    user_id=user.id,
                    body=data.vault.seal(BODY_PURPOSE, f"note {seq}".encode(), each),
                )
                for seq, each in enumerate(ids, 1)
            )

        data.database.run(write)


def notes(at_home: Operator) -> list[str]:
    with open_readonly(at_home.data_dir) as data:
        found = data.database.run_read(
            lambda session: session.execute(select(Message).order_by(Message.seq)).scalars().all()
        )
        return [data.vault.open(BODY_PURPOSE, each.body or b"", each.id).decode() for each in found]


def sealed_with(at_home: Operator) -> dict[int, int]:
    keys = at_home("vault", "status")["keys"]
    return {each["version"]: sum(each["sealed"].values()) for each in keys}


def test_after_a_rotation_the_old_key_can_be_removed(at_home: Operator) -> None:
    fill(at_home, 250)
    before = at_home("vault", "status")
    rotated = at_home("vault", "rotate")
    too_early = at_home.refused("vault", "retire", "2")
    with_old = sealed_with(at_home)
    at_home("vault", "retire", "1")

    assert (before["sealing"], before["unfinished"]) == (1, False)
    assert rotated == {"done": True, "version": 2, "resealed": 251, "unopened": 0}
    assert (too_early, with_old) == ("key_in_use", {1: 0, 2: 251})
    assert set(DataDir(at_home.data_dir).secrets().vault_keys) == {2}
    assert at_home.data_dir.joinpath("secrets.json").stat().st_mode & 0o777 == 0o600
    assert notes(at_home) == [f"note {seq}" for seq in range(1, 251)]
    assert at_home.refused("vault", "retire", "1") == "no_such_key"
    assert at_home("vault", "rotate")["version"] == 3, "another time, another key"


def test_the_output_is_readable_text(at_home: Operator) -> None:
    output = at_home.run("vault", "rotate").stdout

    assert output == "Everything is encrypted with key 2.\n"
    assert "sealing" in at_home.run("vault", "status").stdout


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_rotation_continues_when_the_command_is_repeated(at_home: Operator, how: signal.Signals) -> None:
    fill(at_home, MANY)
    with started("vault", "rotate", "--json", data_dir=at_home.data_dir) as rotating:
        json.loads(rotating.line())
        code = rotating.end(how)
        sent = rotating.errors()
    between = sealed_with(at_home)
    readable = notes(at_home)
    again = at_home("vault", "rotate")

    assert code == (1 if how is signal.SIGINT else -signal.SIGKILL)
    assert how is signal.SIGKILL or sent.endswith("(stopped)\n")
    assert 0 < between[2] < MANY
    assert again["version"] == 2, "the same key as before, not another one"
    assert again["resealed"] + between[2] == MANY + 1
    assert sealed_with(at_home) == {1: 0, 2: MANY + 1}
    assert notes(at_home) == readable == [f"note {seq}" for seq in range(1, MANY + 1)]


def test_a_running_server_rotates_and_retires_keys(at_home: Operator) -> None:
    fill(at_home, 250)
    with started("serve", "--port", "0", "--json", data_dir=at_home.data_dir) as server:
        server.line()
        rotated = at_home("vault", "rotate")
        at_home("vault", "retire", "1")
        again = at_home("vault", "rotate")
        at_home("vault", "retire", "2")
    with started("serve", "--port", "0", "--json", data_dir=at_home.data_dir) as restarted:
        restarted.line()

    assert rotated == {"done": True, "version": 2, "resealed": None, "unopened": 0}
    assert again["version"] == 3
    assert sealed_with(at_home) == {3: 251}
    assert set(DataDir(at_home.data_dir).secrets().vault_keys) == {3}
    assert notes(at_home)[:2] == ["note 1", "note 2"]


def test_an_older_backup_can_be_restored_with_the_current_keys(at_home: Operator, tmp_path: Path) -> None:
    fill(at_home, 5)
    file, places = tmp_path / "backup.tar", [Operator(tmp_path / "alone"), Operator(tmp_path / "beside")]
    at_home("backup", str(file))
    at_home("vault", "rotate")
    at_home("vault", "retire", "1")
    kept = DataDir(at_home.data_dir).secrets()
    DataDir(places[1].data_dir).restore_secrets(kept)
    for place in places:
        place("restore", str(file))

        assert notes(place) == [f"note {seq}" for seq in range(1, 6)]
    assert set(DataDir(places[1].data_dir).secrets().vault_keys) == {1, 2}
    assert places[1]("vault", "rotate")["version"] == 2


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["vault", "rotate"], ["user", "list"], ["backup", "x"]])
def test_a_lost_key_is_named_at_every_start_without_a_traceback(at_home: Operator, command: list[str]) -> None:
    if command == ["user", "list"]:
        command = ["user", "add", "bo", "--generate-password"]
    at_home("vault", "rotate")
    kept = DataDir(at_home.data_dir).secrets()
    at_home.data_dir.joinpath("secrets.json").write_text(Secrets(kept.secret_key, {1: kept.vault_keys[1]}).to_json())
    ended = famichat(*command, data_dir=at_home.data_dir)

    assert ended.returncode == 1
    assert "famichat: vault key 2 is missing. Restore secrets.json" in ended.stderr
    assert ended.stderr.endswith("(wrong_keys)\n")
    assert "Traceback" not in ended.stderr


def test_a_wrong_key_is_named_by_doctor_too(at_home: Operator) -> None:
    kept = DataDir(at_home.data_dir).secrets()
    other = Secrets(kept.secret_key, {1: secrets.token_bytes(32)})
    at_home.data_dir.joinpath("secrets.json").write_text(other.to_json())

    assert at_home.refused("doctor") == "not_well"
    assert "vault key 1 is not the key of this database" in at_home.run("doctor").stdout


def test_keys_from_the_settings_are_changed_there(at_home: Operator) -> None:
    keys = {version: b64encode(key).decode() for version, key in DataDir(at_home.data_dir).secrets().vault_keys.items()}
    given: dict[str, Any] = {"data_dir": at_home.data_dir, "vault_keys": json.dumps(keys)}
    refused = famichat("vault", "rotate", **given)
    keys[2] = b64encode(secrets.token_bytes(32)).decode()
    rotated = famichat("vault", "rotate", "--json", **given | {"vault_keys": json.dumps(keys)})
    retired = famichat("vault", "retire", "1", **given | {"vault_keys": json.dumps(keys)})

    assert refused.stderr.endswith("(no_new_key)\n")
    assert json.loads(rotated.stdout.splitlines()[-1])["version"] == 2
    assert "Remove it from FAMICHAT_VAULT_KEYS" in retired.stdout
    assert at_home.refused("vault", "rotate", "--prepare") == "no_new_key"
