"""Health checks and metrics of a running server."""

from pathlib import Path

import httpx
import pytest

from famichat.app.node_registry import NodeRegistry
from famichat.realtime import broker
from famichat.realtime.lease import Lease
from tests.support.app import RunningApp, running_app


async def test_liveness_and_readiness_are_reported(app: RunningApp) -> None:
    async with httpx.AsyncClient(base_url=app.url, timeout=30) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        assert (await client.get("/readyz")).text == "ready\n"


async def test_a_node_that_cannot_read_who_lost_access_is_not_ready(
    app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with httpx.AsyncClient(base_url=app.url, timeout=30) as client:
        monkeypatch.setattr(Lease, "valid", False)
        refused = await client.get("/readyz")
        age = (await client.get("/metrics")).text.split("\nfamichat_lease_age_seconds ")[1].split()[0]

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert 0 <= float(age) < 60


async def test_a_node_that_hears_nothing_is_ready_and_reports_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "DEAF_SECONDS", 0.0)
    async with (
        running_app(database_url, tmp_path, pubsub_url="redis://127.0.0.1:1/0") as app,
        httpx.AsyncClient(base_url=app.url, timeout=30) as client,
    ):
        ready = await client.get("/readyz")
        metrics = (await client.get("/metrics")).text

    assert (ready.status_code, ready.text.splitlines()[1].split()[:2]) == (200, ["hearing:", "false"])
    assert "famichat_hearing 0.0" in metrics


async def test_a_node_that_alone_hears_nothing_is_not_ready(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NodeRegistry, "is_isolated", True)
    async with httpx.AsyncClient(base_url=app.url, timeout=30) as client:
        refused = await client.get("/readyz")

    assert (refused.status_code, refused.text.split(":")[0]) == (503, "isolated")


async def test_metrics_count_events_and_contain_no_names(app: RunningApp) -> None:
    topic = f"message:self:{app.talks.self}"
    async with app.connect(app.home.maja) as maja, httpx.AsyncClient(base_url=app.url, timeout=30) as client:
        await maja.join(topic)
        await maja.ask(topic, "new_msg", {"body": "canary-body"})
        metrics = (await client.get("/metrics")).text

    assert 'famichat_events_total{name="famichat.message.sent"} 1.0' in metrics
    assert "famichat_connections 1.0" in metrics
    for secret in ("canary-body", app.home.maja.user_id, app.talks.self, app.home.maja.username):
        assert secret not in metrics


async def test_metrics_through_a_proxy_require_the_token(database_url: str, tmp_path: Path) -> None:
    token = "a-metrics-token-of-the-tests"
    async with (
        running_app(database_url, tmp_path, metrics_token=token) as app,
        httpx.AsyncClient(base_url=app.url, headers={"x-forwarded-for": "203.0.113.7"}, timeout=30) as client,
    ):
        assert (await client.get("/metrics")).status_code == 404
        assert (await client.get("/metrics", headers={"authorization": "Bearer wrong"})).status_code == 404
        assert (await client.get("/metrics", headers={"authorization": f"Bearer {token}"})).status_code == 200


async def test_the_test_endpoint_is_not_there_unless_it_is_enabled(database_url: str, tmp_path: Path) -> None:
    async with running_app(database_url, tmp_path, test_endpoints=False) as app, app.http(app.home.maja) as client:
        answer = await client.post("/test/broadcast", json={})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
