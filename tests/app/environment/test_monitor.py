import asyncio
from pathlib import Path

from famichat.app.environment.machine import CLOCK_SECONDS
from famichat.app.environment.monitor import EnvironmentMonitor
from famichat.push.subscription import Subscription, subscribe
from famichat.settings import Settings
from famichat.storage.database import Database
from famichat.telemetry.metrics import Metrics
from tests.factories.people import INDEX, VAULT, Household
from tests.support.push_service import Browser


async def test_the_metrics_report_what_a_check_finds(database: Database, household: Household, tmp_path: Path) -> None:
    keys = Browser("http://127.0.0.1:1/secret").subscription()
    given = Subscription.parse(keys["endpoint"], **keys["keys"])
    database.run(lambda session: subscribe(session, household.maja.device_id, given, VAULT, INDEX))
    async with await asyncio.start_server(_other_server, "127.0.0.1") as server:
        url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        monitor = EnvironmentMonitor(Settings(data_dir=tmp_path, public_url=url), database, VAULT)
        metrics = Metrics()
        monitor.measure(metrics)
        before = _values(metrics)
        await monitor.once()

    after = _values(metrics)
    assert (before["push_services_unreachable"], before["public_url_faulty"]) == (0, 0)
    assert (after["push_services_unreachable"], after["public_url_faulty"]) == (1, 1)
    assert after["disk_free_bytes"] > 0
    assert (after["encrypted_conversations"], after["devices_without_keys"]) == (0, 5)
    assert abs(after["clock_offset_seconds"]) < CLOCK_SECONDS


async def _other_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    writer.close()


def _values(metrics: Metrics) -> dict[str, float]:
    lines = [line.split() for line in metrics.render().decode().splitlines() if line.startswith("famichat_")]
    return {name.removeprefix("famichat_"): float(value) for name, value in lines if "{" not in name}
