"""The checks of `famichat doctor` outside the database: disks, clock, public URL and push services."""

import asyncio
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from famichat.app.environment.check import Check
from famichat.app.environment.machine import (
    check_clock,
    check_disks,
    check_picture_worker,
    chrony_offset,
    data_folders,
    database_offset,
)
from famichat.app.environment.public_url import check_public_url
from famichat.app.environment.push_services import push_origins, reach_push_services
from famichat.app.environment.smtp import check_smtp
from famichat.settings import Settings
from famichat.storage.crypto.vault import Vault
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.errors import StorageError


def surroundings(settings: Settings, *, is_running: bool, has_data: bool) -> Iterator[Check]:
    """Yield the result of each check.

    Args:
        settings: the server's settings.
        is_running: whether the server runs, so that requests to its public URL can arrive.
        has_data: whether its database can be read.
    """
    yield from check_disks(data_folders(settings))
    yield check_picture_worker()
    offset, origins = _from_database(settings) if has_data else (None, ())
    push = asyncio.run(reach_push_services(origins, allow_private=settings.push_private_addresses))
    yield _clock(offset, push.offset)
    yield push.check
    yield check_smtp(settings)
    if is_running:
        yield asyncio.run(check_public_url(settings))
    else:
        yield Check("public URL", Check.OK, "not checked, because no server is running here")


def _clock(database: float | None, push: float | None) -> Check:
    for offset, source in ((database, "the database"), (chrony_offset(), "chrony"), (push, "the push services")):
        if offset is not None:
            return check_clock(offset, source)
    return check_clock(None, "")


def _from_database(settings: Settings) -> tuple[float | None, tuple[str, ...]]:
    keys = DataDir(settings.data_dir).secrets(settings.secret_key, settings.vault_keys)
    database, vault = Database(settings.effective_database_url), Vault(keys.vault_keys)

    def read(session: Session) -> tuple[float | None, tuple[str, ...]]:
        return database_offset(session), push_origins(session, vault)

    try:
        return database.run_read(read)
    except (StorageError, DBAPIError):
        return None, ()  # the check of the database says why
    finally:
        database.close()
