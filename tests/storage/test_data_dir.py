import multiprocessing
import os
import secrets
import stat
from pathlib import Path
from unittest.mock import patch

import pytest

from famichat.storage.crypto.vault import Vault
from famichat.storage.data_dir import DataDir, DirectoryInUse, Secrets, SecretsDamaged, SecretsMissing

VAULT_KEYS = {1: b"\x01" * 32, 2: b"\x02" * 32}


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "deep" / "data")


def test_the_first_start_makes_secrets_and_every_later_one_finds_them(data_dir: DataDir) -> None:
    made = data_dir.secrets()

    assert DataDir(data_dir.path).secrets() == made
    assert len(made.secret_key) >= 32
    Vault(made.vault_keys)


def test_two_servers_have_nothing_in_common(tmp_path: Path) -> None:
    one, other = DataDir(tmp_path / "one").secrets(), DataDir(tmp_path / "other").secrets()

    assert one.secret_key != other.secret_key
    assert one.vault_keys != other.vault_keys


def test_only_the_owner_can_read_the_secrets(data_dir: DataDir) -> None:
    data_dir.secrets()

    assert _mode(data_dir.path) == 0o700
    assert _mode(data_dir.secrets_file) == 0o600


def test_given_secrets_override_the_file(data_dir: DataDir) -> None:
    kept = data_dir.secrets()

    assert data_dir.secrets("k" * 32, None) == Secrets("k" * 32, kept.vault_keys)
    assert data_dir.secrets(None, VAULT_KEYS) == Secrets(kept.secret_key, VAULT_KEYS)


def test_no_file_is_created_if_all_secrets_are_given(data_dir: DataDir) -> None:
    data_dir.secrets("k" * 32, VAULT_KEYS)

    assert not data_dir.path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"secret_key": "k", "vault_keys": {}}',
        '{"secret_key": "k", "vault_keys": {"1": "c2hvcnQ="}}',
        '{"secret_key": "k", "vault_keys": {"1": "?"}}',
        '{"secret_key": "k", "vault_keys": {"one": ""}}',
        '{"secret_key": 1, "vault_keys": {"1": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}}',
    ],
)
def test_damaged_secrets_are_reported_and_never_replaced(data_dir: DataDir, text: str) -> None:
    data_dir.secrets()
    data_dir.secrets_file.write_text(text)

    with pytest.raises(SecretsDamaged, match=r"secrets\.json is damaged"):
        data_dir.secrets()
    assert data_dir.secrets_file.read_text() == text


def test_lost_secrets_are_not_replaced_while_there_is_a_database(data_dir: DataDir) -> None:
    data_dir.path.mkdir(parents=True)
    (data_dir.path / "famichat.db").touch()

    with pytest.raises(SecretsMissing, match=r"secrets\.json is missing"):
        data_dir.secrets()
    assert data_dir.secrets("k" * 32, VAULT_KEYS) == Secrets("k" * 32, VAULT_KEYS)


def test_a_crash_while_the_secrets_were_made_leaves_nothing_in_the_way(data_dir: DataDir) -> None:
    data_dir.path.mkdir(parents=True)
    (data_dir.path / "secrets.abcd1234").write_text('{"secret_')

    assert data_dir.secrets() == data_dir.secrets()


def test_the_first_of_two_concurrent_creations_wins(data_dir: DataDir) -> None:
    with patch.object(DataDir, "_stored", autospec=True, side_effect=[None, Secrets("the first", VAULT_KEYS)]):
        data_dir.path.mkdir(parents=True)
        data_dir.secrets_file.write_text("of the first")

        assert data_dir.secrets() == Secrets("the first", VAULT_KEYS)
    assert [file.name for file in data_dir.path.iterdir()] == ["secrets.json"]


def test_secrets_survive_their_file() -> None:
    some = Secrets("a key", {1: secrets.token_bytes(32), 7: secrets.token_bytes(32)})

    assert Secrets.from_json(some.to_json()) == some


def test_two_cannot_work_in_one_directory(data_dir: DataDir) -> None:
    with data_dir.lock(), pytest.raises(DirectoryInUse, match="Famichat is already running") as refused:  # noqa: SIM117 - reads as it happens
        with DataDir(data_dir.path).lock():
            pass
    assert refused.value.process == str(os.getpid())


def test_one_can_work_there_after_the_other(data_dir: DataDir) -> None:
    for _ in range(2):
        with data_dir.lock():
            pass


def test_a_process_that_dies_gives_the_directory_back(data_dir: DataDir) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_die_in, args=(data_dir.path,))
    process.start()
    process.join()

    assert process.exitcode == 9
    with data_dir.lock():
        pass


def _die_in(path: Path) -> None:
    with DataDir(path).lock():
        os._exit(9)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
