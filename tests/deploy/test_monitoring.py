"""The dashboard and the alert rules use existing metrics and events only."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from famichat.telemetry import events
from famichat.telemetry.events import Event
from tests.support.app import RunningApp

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = MONITORING / "famichat-alerts.yml"
DASHBOARD = MONITORING / "famichat-dashboard.json"
SERIES = re.compile(r"\bfamichat_\w+")

on_the_shared_app = pytest.mark.asyncio(loop_scope="module")


async def scraped(app: RunningApp) -> dict[str, str]:
    """Every metric of a running server, and its kind."""
    async with app.site() as http:
        text = (await http.get("/metrics")).text
    kinds = dict(re.findall(r"^# TYPE (famichat_\w+) (\w+)$", text, re.MULTILINE))
    return {name: kind for name, kind in kinds.items() if not name.endswith("_created")}


def expressions() -> list[str]:
    """What the dashboard and the rules ask Prometheus for."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    return queries + re.findall(r"^ +expr: (.+)$", ALERTS.read_text(), re.MULTILINE)


def test_promtool_accepts_the_alert_rules() -> None:
    checked = subprocess.run(["promtool", "check", "rules", ALERTS], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert "SUCCESS: 18 rules found" in checked.stdout


@on_the_shared_app
async def test_the_dashboard_and_the_rules_ask_only_for_metrics_that_exist(shared_app: RunningApp) -> None:
    kinds = await scraped(shared_app)
    series = {name for name, kind in kinds.items() if kind != "histogram"}
    series |= {f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram" for part in ("bucket", "count")}
    queries = {name for expression in expressions() for name in SERIES.findall(expression)}

    assert queries <= series
    assert {name.removesuffix("_bucket").removesuffix("_count") for name in queries} == set(kinds)


def test_the_rules_name_only_events_that_exist() -> None:
    declared = {
        kind.name for kind in vars(events).values() if isinstance(kind, type) and kind in Event.__subclasses__()
    }
    named = {name for expression in expressions() for name in re.findall(r'name="([\w.]+)"', expression)}

    assert named
    assert named <= declared


@on_the_shared_app
async def test_the_page_about_telemetry_lists_every_metric_with_its_kind(shared_app: RunningApp) -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text()
    listed = dict(re.findall(r"^\| `(famichat_\w+)(?:\{\w+\})?` \| (\w+) \|", page, re.MULTILINE))

    assert listed == await scraped(shared_app)
