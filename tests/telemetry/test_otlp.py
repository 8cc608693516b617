"""Traces, as a real collector receives them from the whole application."""

import re
import shutil
import socket
import time
from pathlib import Path

import pytest

from famichat.telemetry import events
from famichat.telemetry.events import Event
from tests.support.app import RunningApp, running_app
from tests.support.otlp import Traces, collector

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
BODY = "canary body: dinner at six"


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    return f"sqlite:///{tmp_path / 'famichat.db'}"


async def talk(app: RunningApp) -> None:
    """Maja sends over the socket, over HTTP, and once beyond the rate limit."""
    topic = f"message:direct:{app.talks.direct}"
    messages = f"/conversations/{app.talks.direct}/messages"
    async with app.connect(app.home.maja) as maja, app.http(app.home.maja) as http:
        await maja.join(topic)
        assert (await maja.ask(topic, "new_msg", {"body": BODY, "client_id": "1"})).status == "ok"
        assert (await http.post(messages, json={"body": BODY, "client_id": "2"})).status_code == 201
        assert (await http.post(messages, json={"body": BODY + "!", "client_id": "2"})).status_code == 409
        assert (await maja.ask(topic, "new_msg", {"body": [BODY]})).status == "error"


async def traced(database_url: str, folder: Path, **settings: object) -> tuple[RunningApp, Traces]:
    with collector() as traces:
        async with running_app(database_url, folder, otlp_endpoint=traces.url, **settings) as app:
            await talk(app)
    return app, traces


async def test_one_trace_follows_a_message_from_its_arrival_through_the_disk_to_its_broadcast(
    database_url: str, tmp_path: Path
) -> None:
    _, traces = await traced(database_url, tmp_path)
    broadcasts = traces.named("famichat.message.broadcast")

    assert len(broadcasts) == 2, "by socket and by HTTP"
    for broadcast in broadcasts:
        (root,) = [span for span in traces.named("famichat.message") if span.trace_id == broadcast.trace_id]
        (store,) = [span for span in traces.named("famichat.message.store") if span.trace_id == broadcast.trace_id]
        assert {store.parent_span_id, broadcast.parent_span_id} == {root.span_id}
        assert root.start_time_unix_nano <= store.start_time_unix_nano <= store.end_time_unix_nano
        assert store.end_time_unix_nano <= broadcast.start_time_unix_nano
        assert broadcast.end_time_unix_nano <= root.end_time_unix_nano


async def test_a_refused_message_leaves_a_trace_with_the_kind_of_error_and_not_a_word_of_it(
    database_url: str, tmp_path: Path
) -> None:
    _, traces = await traced(database_url, tmp_path)
    refused = [span for span in traces.named("famichat.message") if span.status.code == span.status.STATUS_CODE_ERROR]
    kinds = {a.value.string_value for span in refused for a in span.attributes if a.key == "error.type"}

    assert kinds == {"Conflict", "InvalidMessage"}
    assert not any(span.events for span in traces.spans)


@pytest.mark.parametrize(("telemetry_ids", "shown"), [("hashed", False), ("plain", True)])
async def test_a_trace_contains_ids_only_if_the_operator_enables_them(
    sqlite_url: str, tmp_path: Path, telemetry_ids: str, *, shown: bool
) -> None:
    app, traces = await traced(sqlite_url, tmp_path, telemetry_ids=telemetry_ids)

    assert len(traces.named("famichat.message")) == 4
    assert (app.home.maja.user_id in traces.text) is shown
    assert (app.talks.direct in traces.text) is shown
    assert BODY not in traces.text


async def test_a_collector_that_is_away_costs_traces_and_nothing_else(
    sqlite_url: str, tmp_path: Path, emitted: list[Event], capfd: pytest.CaptureFixture[str]
) -> None:
    async with running_app(sqlite_url, tmp_path, otlp_endpoint="http://127.0.0.1:9") as app:
        await talk(app)
        began = time.monotonic()

    assert time.monotonic() - began < 2
    assert [event for event in emitted if isinstance(event, events.TraceExportFailed)]
    assert "Traceback" not in capfd.readouterr().err


async def test_a_collector_that_never_answers_does_not_hold_up_the_end(sqlite_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with running_app(sqlite_url, tmp_path, otlp_endpoint=f"http://127.0.0.1:{port}") as app:
            await talk(app)
            began = time.monotonic()
        took = time.monotonic() - began

    assert took < 2


async def test_the_page_lists_every_span_with_its_attributes(sqlite_url: str, tmp_path: Path) -> None:
    _, traces = await traced(sqlite_url, tmp_path)
    sent: dict[str, set[str]] = {}
    for span in traces.spans:
        sent.setdefault(span.name, set()).update(attribute.key for attribute in span.attributes)
    page = PAGE[PAGE.index("## Traces") :]
    rows = re.findall(r"^\| `(famichat\.[\w.]+)` \| .+? \| (.+?) \|", page, re.MULTILINE)

    assert {name: set(re.findall(r"`([\w.]+)`", attributes)) for name, attributes in rows} == sent
