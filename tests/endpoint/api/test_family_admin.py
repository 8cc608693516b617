"""Family administration over HTTP."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from famichat.actions import attachments
from famichat.storage.data_dir import DataDir
from famichat.storage.size import database_bytes
from famichat.telemetry.events import DeviceRevoked, Event
from tests.support.app import RunningApp
from tests.support.uploading import upload


async def test_an_admin_revokes_a_device_with_immediate_effect(app: RunningApp, emitted: list[Event]) -> None:
    emil = app.home.emil
    devices = f"/families/{app.home.family_id}/members/{emil.user_id}/devices"
    async with app.http(app.home.maja) as http, app.connect(emil) as phone:
        await phone.join(f"user:{emil.user_id}")
        (listed,) = (await http.get(devices)).json()["devices"]
        assert set(listed) == {"id", "name", "created_at", "last_seen_at"}
        assert listed["id"] == emil.device_id

        assert (await http.delete(f"{devices}/{emil.device_id}")).status_code == 204
        await asyncio.wait_for(phone.websocket.wait_closed(), 5)
    async with app.http(emil) as http:
        assert (await http.get("/me")).status_code == 401
    assert DeviceRevoked(user_id=emil.user_id, device_id=emil.device_id, cause="revoked_by_admin") in emitted


async def test_an_admin_reads_what_admins_did(app: RunningApp) -> None:
    family, emil = f"/families/{app.home.family_id}", app.home.emil
    async with app.http(app.home.maja) as http:
        await http.put(f"{family}/members/{emil.user_id}", json={"role": "admin"})
        await http.delete(f"{family}/members/{emil.user_id}/devices/{emil.device_id}")
        entries = (await http.get(f"{family}/ledger")).json()
        newest, oldest = entries["entries"]
        before = (await http.get(f"{family}/ledger", params={"before": newest["id"], "limit": 1})).json()

    assert (newest["action"], newest["user_id"], newest["by_name"]) == ("device_revoked", emil.user_id, "maja")
    assert (oldest["action"], oldest["role"], entries["has_more"]) == ("family_role_changed", "admin", False)
    assert before["entries"] == [oldest]


async def test_an_admin_sees_the_disk_usage_and_the_time_of_the_last_backup(
    app: RunningApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def in_the_middle_of_a_step(session: Session) -> int:
        """Measure the growth only: the database may have any size at first, also one just below a step."""
        measured.append(database_bytes(session))
        return 15_000_000 + measured[-1] - measured[0]

    monkeypatch.setattr(attachments, "database_bytes", in_the_middle_of_a_step)
    path = f"/families/{app.home.family_id}/storage"
    async with app.http(app.home.maja) as http:
        before = (await http.get(path)).json()
        await upload(http, app.talks.direct, b"x" * 1000)
        await http.post(f"/conversations/{app.talks.direct}/messages", json={"body": "Hej"})
        DataDir(tmp_path / "data").note_backup(datetime(2026, 11, 27, 3, 0, tzinfo=UTC))
        after = (await http.get(path)).json()

    assert before["last_backup_at"] is None
    assert after["last_backup_at"].startswith("2026-11-27T03:00:00")
    # A message does not change the usage that an admin sees, and a small file counts like a large one.
    assert after["database_bytes"] == before["database_bytes"] == 20_000_000
    assert len(measured) == 2
    assert all(size > 100_000 for size in measured)
    assert {each["user_id"]: each["file_bytes"] for each in after["people"]} == {
        each.user_id: 10_000_000 * (each is app.home.maja) for each in app.home.everyone
    }
    assert all(each["file_bytes"] == 0 for each in before["people"])
