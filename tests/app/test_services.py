from pathlib import Path

from famichat.app.services import build_services
from famichat.settings import Settings
from famichat.storage.data_dir import DataDir
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
