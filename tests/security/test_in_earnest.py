"""A production server: internals are unreachable, and failures fail closed."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from famichat.storage.database import Database
from famichat.telemetry import events
from famichat.telemetry.events import Event
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp, running_app

_PATHS = (
    "/docs /redoc /openapi.json /swagger /swagger-ui.html /api /api/ /api/v1 /api/v1/ /api/v2 /admin /admin/",
    "/administrator /debug /debug/pprof /debug/vars /_debug /console /status /server-status /server-info",
    "/actuator /actuator/env /actuator/health /health /ping /version /info /env /.env /.git/config /.git/HEAD",
    "/.svn/entries /.DS_Store /.well-known/nothing /config.json /settings /famichat.toml /secrets.json",
    "/data/secrets.json /famichat.db /data/famichat.db /backup.tar /backup.zip /db.sqlite3 /dump.sql /phpinfo.php",
    "/wp-login.php /wp- /cgi-bin/ /static/ /assets/ /assets /src/main.ts /index.html.map /socket /socket/",
    "/socket/websocket/x /live/websocket /graphql /test /api/v1/test /api/v1/test/broadcast /metrics/",
    "/metrics/json",
)
NOT_THERE = [path for line in _PATHS for path in line.split()]


@asynccontextmanager
async def in_earnest(migrated: Path, folder: Path, **settings: object) -> AsyncIterator[RunningApp]:
    shutil.copy(migrated, folder / "famichat.db")
    url = f"sqlite:///{folder / 'famichat.db'}"
    async with running_app(url, folder, test_endpoints=False, rate_limits="on", **settings) as app:
        yield app


async def test_nothing_of_the_inside_is_reachable(migrated_sqlite: Path, tmp_path: Path) -> None:
    assert len(NOT_THERE) >= 60
    async with in_earnest(migrated_sqlite, tmp_path) as app, app.site(app.home.maja) as site:
        found = {path: (await site.get(path)).status_code for path in NOT_THERE}
        through_a_proxy = await site.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"})
        traced = [await site.request("TRACE", path) for path in ("/", "/healthz", "/api/v1/me")]
        connected = await site.request("CONNECT", "/healthz")

    assert set(found.values()) <= {404, 400}, {path: status for path, status in found.items() if status != 404}
    assert {path for path, status in found.items() if status == 400} <= {"/socket/websocket/x"}
    assert through_a_proxy.status_code == 404
    assert {each.status_code for each in traced} == {405}
    assert connected.status_code in (400, 404, 405)


async def test_paths_do_not_lead_out_of_the_pages(migrated_sqlite: Path, tmp_path: Path) -> None:
    async with in_earnest(migrated_sqlite, tmp_path) as app:
        where = urlsplit(app.url)
        for path in ("/../settings.py", "/assets/../../settings.py", "/assets/..%2f..%2fsettings.py", "/%2e%2e/app.py"):
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 404 "), path
            assert b"famichat" not in answer.lower(), path


async def test_a_database_failure_during_an_access_check_denies_access(
    app: RunningApp, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Access checks fail closed when their table disappears under the running server."""
    topic, path = f"message:group:{app.talks.group}", f"/conversations/{app.talks.group}"
    meddler = Database(database_url)
    try:
        async with app.connect(app.home.maja) as maja, app.http(app.home.maja) as http:
            await maja.join(topic)
            away = "ALTER TABLE conversation_participants RENAME TO away"
            await meddler.transaction(lambda session: session.execute(text(away)))
            refused = [await http.get(each) for each in (path, f"{path}/messages", "/conversations")]
            refused.append(await http.patch(path, json={"name": "x"}))
            sent = await maja.ask(topic, "new_msg", {"body": "x"})
            fetched = await maja.ask(topic, "fetch", {})
            async with app.connect(app.home.maja) as again:
                joined = await again.join(topic, status="error")
            back = "ALTER TABLE away RENAME TO conversation_participants"
            await meddler.transaction(lambda session: session.execute(text(back)))
            recovered = await http.get(path)
    finally:
        meddler.close()

    reported = "".join(each.text for each in refused) + repr((sent, fetched, joined))
    assert {each.status_code for each in refused} <= {500, 503}
    assert {sent.status, fetched.status} == {"error"}
    assert joined["reason"] in ("join crashed", "unavailable")
    for inside in ("Traceback", "conversation_participants", "SELECT", "sqlite", "psycopg"):
        assert inside not in reported
    assert recovered.status_code == 200


async def test_security_events_are_logged_with_the_user_and_the_entry_point(
    app: RunningApp, emitted: list[Event]
) -> None:
    home = app.home
    async with app.http() as http, app.http(home.maja) as maja, app.http(home.emil) as emil:
        session = (await http.post("/sessions", json={"username": "emil", "password": PASSWORD})).json()
        await http.post("/sessions", json={"username": "emil", "password": "wrong"})
        await emil.patch(f"/conversations/{app.talks.group}", json={"name": "Mine"})
        await emil.delete(f"/devices/{session['device_id']}")
        await maja.post(f"/families/{home.family_id}/invites")
        await maja.put(f"/families/{home.family_id}/members/{home.emil.user_id}", json={"role": "admin"})
        await maja.delete(f"/families/{home.family_id}/members/{home.inga.user_id}")

    who = {
        events.SessionStarted: "user_id",
        events.AuthorizationDenied: "user_id",
        events.DeviceRevoked: "user_id",
        events.InviteCreated: "created_by_id",
        events.FamilyRoleChanged: "changed_by_id",
        events.FamilyMemberRemoved: "removed_by_id",
    }
    reported = {
        kind: [getattr(each, field) for each in emitted if isinstance(each, kind)] for kind, field in who.items()
    }
    assert reported == {
        events.SessionStarted: [home.emil.user_id],
        events.AuthorizationDenied: [home.emil.user_id, home.emil.user_id],
        events.DeviceRevoked: [home.emil.user_id],
        events.InviteCreated: [home.maja.user_id],
        events.FamilyRoleChanged: [home.maja.user_id],
        events.FamilyMemberRemoved: [home.maja.user_id],
    }
    doors = [each.door for each in emitted if isinstance(each, events.AuthorizationDenied)]
    assert doors == ["POST /api/v1/sessions", "PATCH /api/v1/conversations/{conversation_id}"]
