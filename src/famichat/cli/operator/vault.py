"""`famichat vault`: rotate, inspect and retire the keys that encrypt stored data."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from famichat.cli.operator.administration import administration
from famichat.cli.operator.opened_data import OpenedData, on_sqlite, open_for_writing, open_readonly
from famichat.cli.options import counted, data_dir_option, json_option, print_result, table
from famichat.cli.refusal import Refused
from famichat.settings import Settings, load_settings
from famichat.storage.crypto.reencryption import SETTLING, Walk, finish, write
from famichat.storage.crypto.sealed_columns import sealed_columns
from famichat.storage.crypto.vault_keys import VaultKey, known_keys, sealing_key, settle
from famichat.storage.data_dir import DataDir, DirectoryInUse

_POLL_SECONDS = 0.5


@click.group()
def vault() -> None:
    """Rotate and inspect the keys that encrypt stored data."""


@vault.command()
@click.option("--prepare", is_flag=True, help="Only create the new key, so that several servers can load it first.")
@data_dir_option
@json_option
def rotate(data_dir: Path | None, *, prepare: bool, as_json: bool) -> None:
    """Switch to a new key and re-encrypt everything with it. Works while the server runs.

    Ctrl-C stops it between two steps; run the command again to continue. With --json, prints one line per step; the
    last one says "done".
    """
    settings = load_settings(data_dir=data_dir)
    if prepare:
        version = _prepare(settings)
        print_result({"prepared": version}, f"Created key {version}. It is not in use yet.", as_json=as_json)
        return
    try:
        try:
            with open_for_writing(settings) as data:
                result = _rotate(data, as_json=as_json)
        except DirectoryInUse:
            result = _watch(settings, as_json=as_json)
    except KeyboardInterrupt:
        raise Refused("stopped", "Stopped. Run the same command again to continue") from None
    left = (
        f" Left unchanged, because no key decrypts them: {counted(result['unopened'], 'value')}."
        if result["unopened"]
        else ""
    )
    print_result(result, f"Everything is encrypted with key {result['version']}.{left}", as_json=as_json)


@vault.command()
@data_dir_option
@json_option
def status(data_dir: Path | None, *, as_json: bool) -> None:
    """Show the current key, the other keys, and how much each has encrypted."""
    with open_readonly(data_dir) as data:
        result = data.database.run_read(lambda session: _status(session, data))
    headers = ("key", "is", "here", *result["columns"])
    rows = [
        (each["version"], each["state"], "yes" if each["here"] else "MISSING", *each["sealed"].values())
        for each in result["keys"]
    ]
    print_result(result, table([headers, *rows]), as_json=as_json)


@vault.command()
@click.argument("version", type=click.IntRange(1, 65535))
@data_dir_option
@json_option
def retire(version: int, data_dir: Path | None, *, as_json: bool) -> None:
    """Delete key VERSION if no stored data is encrypted with it. Works while the server runs. Older backups need it."""
    settings = load_settings(data_dir=data_dir)
    with administration(settings) as call:
        done = call("vault.retire", version=version)
    if done["outcome"] == "unknown":
        raise Refused("no_such_key", f"No key {version}. See `famichat vault status`")
    if done["outcome"] == "in_use":
        values = f"Key {version} still encrypts {counted(done['left'], 'value')}"
        why = values if done["left"] else f"Key {version} may still be in use"
        raise Refused("key_in_use", f"{why}. Run `famichat vault rotate` first")
    here = DataDir(settings.data_dir)
    in_file = settings.vault_keys is None and here.secrets_file.is_file()
    if in_file:
        here.drop_vault_key(version)
    where = "" if in_file else " Remove it from FAMICHAT_VAULT_KEYS now."
    print_result({"retired": version}, f"Deleted key {version}.{where}", as_json=as_json)


def _prepare(settings: Settings) -> int:
    """Create a key that is not in use yet and return its version."""
    if settings.vault_keys is not None:
        raise Refused("no_new_key", "The settings define the keys. Add a new one to FAMICHAT_VAULT_KEYS")
    if on_sqlite(settings):
        raise Refused("no_new_key", "With SQLite the server uses a new key right away. Leave out --prepare")
    with open_for_writing(settings) as data:
        sealing = data.database.run_read(lambda session: sealing_key(session).version)
        return _newer_key(data, sealing)


def _newer_key(data: OpenedData, than: int) -> int:
    """Return the version of a key newer than the current one; create it if there is none."""
    settings, newest = data.settings, max(data.vault.keys)
    if newest > than:
        return newest
    if settings.vault_keys is not None:
        raise Refused("no_new_key", "The settings define the keys. Add a new one to FAMICHAT_VAULT_KEYS")
    data_dir = DataDir(settings.data_dir)
    data_dir.add_vault_key(than + 1)
    data.vault.learn(data_dir.kept_vault_keys())
    return than + 1


def _rotate(data: OpenedData, *, as_json: bool) -> dict[str, Any]:
    """Rotate in this process. Either the server is stopped, or it uses PostgreSQL and loads the new key itself."""
    key = data.database.run_read(sealing_key)
    if key.resealed_at is not None:
        _newer_key(data, key.version)
        keys = data.vault.keys
        data.vault.seal_with(data.database.run(lambda session: settle(session, keys, use_newest=True)))
    walk, settling = Walk(data.vault), SETTLING * (data.database.dialect != "sqlite")
    while not (walk.is_clean and data.database.run(lambda session: finish(session, settling))):
        _step(data, walk, as_json=as_json)
    return {"done": True, "version": data.vault.sealing_version, "resealed": walk.resealed, "unopened": walk.unopened}


def _step(data: OpenedData, walk: Walk, *, as_json: bool) -> None:
    found = data.database.run_read(walk.look)
    written = data.database.run(partial(write, found)) if found.changes else 0
    walk.advance(found, written)
    if written:
        _progress({"done": False, "resealed": walk.resealed}, f"{walk.resealed} re-encrypted", as_json=as_json)
    elif walk.is_clean:
        time.sleep(_POLL_SECONDS)  # a server may still be storing a value that it encrypted with the old key


def _watch(settings: Settings, *, as_json: bool) -> dict[str, Any]:
    """Add a key and let the running server rotate, because only it may write. Print its progress."""
    with open_readonly(settings.data_dir) as data:
        key = data.database.run_read(sealing_key)
        version = key.version if key.resealed_at is None else _newer_key(data, key.version)
        reported = -1
        while True:
            key = data.database.run_read(sealing_key)
            left = data.database.run_read(lambda session: _left(session, version))
            if key.version >= version and key.resealed_at is not None:
                return {"done": True, "version": key.version, "resealed": None, "unopened": left}
            if left != reported:
                _progress({"done": False, "left": left}, f"{left} left on the server", as_json=as_json)
            reported = left
            time.sleep(_POLL_SECONDS)


def _left(session: Session, version: int) -> int:
    """Return the number of values that are encrypted with other keys."""
    counts = [column.count_by_version(session) for column in sealed_columns()]
    return sum(count for each in counts for sealed_by, count in each.items() if sealed_by != version)


def _progress(result: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    click.echo(json.dumps(result) if as_json else sentence, err=not as_json)


def _status(session: Session, data: OpenedData) -> dict[str, Any]:
    sealing, columns = sealing_key(session), sealed_columns()
    counts = {str(column): column.count_by_version(session) for column in columns}
    known = {key.version: key for key in known_keys(session)}
    versions = sorted({*known, *data.vault.keys, *(version for each in counts.values() for version in each)})
    keys = [
        {
            "version": version,
            "state": _state(known.get(version), sealing),
            "here": version in data.vault.keys,
            "sealed": {name: each.get(version, 0) for name, each in counts.items()},
        }
        for version in versions
    ]
    return {
        "sealing": sealing.version,
        "unfinished": sealing.resealed_at is None,
        "columns": list(counts),
        "keys": keys,
    }


def _state(key: VaultKey | None, sealing: VaultKey) -> str:
    if key is None:
        return "unknown"
    if key.version == sealing.version:
        return "sealing"
    return "old" if key.version < sealing.version else "prepared"
