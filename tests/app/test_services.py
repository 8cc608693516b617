import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from famichat.app import lifecycle as lifecycle_module
from famichat.app.lifecycle import Lifecycle
from famichat.app.services import _webauthn, build_services, start_services
from famichat.settings import Settings
from famichat.storage.data_dir import DataDir
from famichat.telemetry.events import BackgroundTaskCrashed, Event
from famichat.telemetry.metrics import Metrics
from tests.factories.people import SECRET
from tests.support.app import VAULT_KEYS, move_in


def settings_for(database_url: str, folder: Path) -> Settings:
    return Settings(data_dir=folder / "data", database_url=database_url, secret_key=SECRET, vault_keys=VAULT_KEYS)  # type: ignore[arg-type]  # Pydantic reads the keys from JSON


async def test_the_services_work_without_a_server(database_url: str, tmp_path: Path) -> None:
    async with build_services(settings_for(database_url, tmp_path)) as services:
        assert services.setup_code is not None
        household, _ = await services.database.transaction(move_in)
        token = services.tokens.issue(household.maja.user_id, household.maja.device_id)
        assert (await services.identify(token)).user_id == household.maja.user_id


async def test_all_nodes_print_the_same_setup_code_and_two_servers_do_not(database_url: str, tmp_path: Path) -> None:
    codes: list[str | None] = []
    for folder in ("one", "other"):
        settings = settings_for(database_url, tmp_path / folder)
        async with build_services(settings) as services:
            codes.append(services.setup_code)
    async with build_services(Settings(data_dir=tmp_path / "another server")) as services:
        another = services.setup_code

    assert codes[0] is not None
    assert codes[0] == codes[1] != another


async def test_a_database_with_users_needs_no_setup_code(database_url: str, tmp_path: Path) -> None:
    async with build_services(settings_for(database_url, tmp_path)) as services:
        await services.database.transaction(move_in)
    async with build_services(settings_for(database_url, tmp_path)) as services:
        assert services.setup_code is None


async def test_the_caller_takes_the_lock(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with DataDir(settings.data_dir).lock():
        async with build_services(settings) as services:
            assert await services.database.read(lambda session: session.get_bind() is not None)


async def test_every_background_task_is_restarted_when_it_is_killed(
    database_url: str, tmp_path: Path, emitted: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle_module, "FIRST_PAUSE_SECONDS", 0.01)
    starts: Counter[str] = Counter()
    changed = asyncio.Event()
    start = Lifecycle.start

    def start_counted(self: Lifecycle, name: str, run: Callable[[], Awaitable[None]]) -> None:
        async def counted() -> None:
            starts[name] += 1
            changed.set()
            await run()

        start(self, name, counted)

    async def until_all_started(times: int) -> None:
        while len(starts) < len(names) or min(starts.values()) < times:
            changed.clear()
            await changed.wait()

    monkeypatch.setattr(Lifecycle, "start", start_counted)
    names = {
        *("backups", "broker", "database check", "environment checks", "head broadcasts", "key rotation"),
        *("missed notifications", "presence", "push notifications", "removed access", "sweep"),
        *("topic feeds", "unread counts", "user news"),
    }
    if database_url.startswith("sqlite"):
        names.add("check for damage")
    settings = settings_for(database_url, tmp_path).model_copy(update={"pubsub_url": "redis://127.0.0.1:1/0"})
    async with asyncio.timeout(60), Lifecycle() as lifecycle:
        await start_services(settings, lifecycle, Metrics())
        await until_all_started(1)
        for task in asyncio.all_tasks():
            if task.get_name() in names:
                task.cancel()
        await until_all_started(2)

    assert set(starts) == names
    crashes = [event for event in emitted if isinstance(event, BackgroundTaskCrashed)]
    assert Counter((crash.task, crash.error_type) for crash in crashes) == Counter(
        (name, "CancelledError") for name in names
    )


async def test_the_library_of_passkeys_is_loaded_once_and_not_in_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = SimpleNamespace(WebAuthn=lambda *_: threading.get_ident())
    monkeypatch.setitem(sys.modules, "famichat.accounts.sign_in.webauthn", library)
    webauthn = _webauthn("https://family.example", SECRET)

    loaded_in: set[object] = {await webauthn(), await webauthn()}
    assert len(loaded_in) == 1
    assert threading.get_ident() not in loaded_in
