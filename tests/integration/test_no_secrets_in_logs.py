"""The secrets of a family appear in no log, metric, trace, error reply or file of a real server.

Every secret is a canary value. A household uses them for a simulated day with errors on every interface, at the most
verbose log level. Then the test searches all output of the server for the canaries.
"""

import base64
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.channel_client import ChannelClient
from tests.support.otlp import collector
from tests.support.program import started

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "canary password of Anna"
WRONG_PASSWORD = "canary password that is wrong"
EMAIL = "canary-anna@example.org"
BODY = "canary body: dinner at six"
CIPHERTEXT = "canary-ciphertext-q83vASNFZ4mrze8BI0VniavN7wEjRWeJ"
KEY_ID = "CANARY_KEY_FAMILY_v1"
VERSION = "canary-mls10.1"
FORGED = "canary-forged-token"
INJECTED = 'canary\r\n{"event": "forged", "level": "critical"}\x1b[2J'


@dataclass
class Day:
    """The collected output of the server, and the secrets that must not occur in it.

    Attributes:
        spoken: tokens and codes that the server generated.
        refusals: error replies over HTTP and WebSocket.
    """

    url: str
    data: Path
    with_messages: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    metrics: str = ""
    database: str = ""
    traces: str = ""
    output: str = ""
    log: str = ""

    @property
    def secrets(self) -> list[str]:
        """All secrets."""
        chosen = [PASSWORD, WRONG_PASSWORD, EMAIL, BODY, CIPHERTEXT, KEY_ID, VERSION, FORGED]
        return [*chosen, *self.with_messages, *kept_secret(self.data)]


def dumped(url: str) -> str:
    """Return a dump of the PostgreSQL database."""
    command = ["pg_dump", "--inserts", url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def files_of(data: Path) -> str:
    """Return the contents of all SQLite files."""
    files = [path for path in data.iterdir() if path.name.startswith("famichat.db")]
    return b"".join(path.read_bytes() for path in files).decode("latin-1")


def kept_secret(data: Path) -> list[str]:
    """Return the server's keys from their file."""
    values = json.loads((data / "secrets.json").read_text()).values()
    return [text for value in values for text in (value.values() if isinstance(value, dict) else [value])]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Day]:
    data = tmp_path_factory.mktemp("day") / "data"
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres").create("a_day")
    chosen = {
        "database_url": database,
        "log_level": "DEBUG",
        "log_format": "json",
        "rate_limits": "off",
        "test_endpoints": "1",
    }
    with (
        collector() as traces,
        started("serve", "--port", "0", "--data-dir", data, "--json", otlp_endpoint=traces.url, **chosen) as server,
    ):
        ready = server.line()
        url = json.loads(ready)["url"]
        day = Day(url, data)
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
            await live(day, http, json.loads(ready)["setup_code"])
            day.metrics = (await http.get("/metrics")).text
        day.database = dumped(database) if database else ""
        assert server.end() == 0
        day.traces = traces.text
        day.output, day.log = server.output.read(), server.errors()
    day.database = day.database or files_of(data)
    yield day


async def live(day: Day, http: httpx.AsyncClient, code: str) -> None:
    day.with_messages.append(code)
    token, conversation = await move_in(day, http, code)
    await talk(day, token, conversation)
    await go_wrong_over_http(day, http, token, conversation)
    await go_wrong_on_the_socket(day, http, token, conversation)
    go_wrong_on_the_line(day)


async def move_in(day: Day, http: httpx.AsyncClient, code: str) -> tuple[str, str]:
    anna = {"username": "anna", "password": PASSWORD, "email": EMAIL}
    wrong_code = await http.post("/api/v1/setup", json={**anna, "family_name": "Berg", "code": FORGED})
    await http.post("/api/v1/setup", json={**anna, "family_name": "Berg", "code": code})
    wrong = await http.post("/api/v1/sessions", json={"email": EMAIL, "password": WRONG_PASSWORD})
    session = (await http.post("/api/v1/sessions", json={"email": EMAIL, "password": PASSWORD})).json()
    other = (await http.post("/api/v1/sessions", json={"email": EMAIL, "password": PASSWORD})).json()
    refresh = {"refresh_token": other["refresh_token"]}
    renewed = (await http.post("/api/v1/sessions/refresh", json=refresh)).json()
    bearer = {"authorization": f"Bearer {session['access_token']}"}
    (await http.delete(f"/api/v1/devices/{other['device_id']}", headers=bearer)).raise_for_status()
    revoked = await http.post("/api/v1/sessions/refresh", json=refresh)
    family = (await http.get("/api/v1/families", headers=bearer)).json()["families"][0]["id"]
    invite = (await http.post(f"/api/v1/families/{family}/invites", headers=bearer, json={})).json()
    await http.get(f"/api/v1/invites/{invite['token']}")
    taken = {**anna, "username": "bert"}
    email_taken = await http.post(f"/api/v1/invites/{invite['token']}/accept", json=taken)
    conversation: str = (await http.post("/api/v1/conversations/family", headers=bearer)).json()["id"]
    day.refusals += [answer.text for answer in (wrong_code, wrong, revoked, email_taken)]
    day.with_messages += [invite["token"]]
    day.with_messages += [
        each[name] for each in (session, other, renewed) for name in ("access_token", "refresh_token")
    ]
    return session["access_token"], conversation


async def talk(day: Day, token: str, conversation: str) -> None:
    topic = f"message:family:{conversation}"
    encrypted = {"body": CIPHERTEXT, "encryption_flag": True, "encryption_version": VERSION, "key_id": KEY_ID}
    for how in ({"token": token}, {"auth_token": token}):
        async with ChannelClient.connect(f"{day.url}/socket", **how) as client:
            await client.join(topic)
            await client.ask(topic, "new_msg", {"body": BODY})
            await client.ask(topic, "new_msg", encrypted)
            await client.ask(topic, "message_ack", {"seq": 1, "status": "read"})
            await client.ask(topic, "fetch", {})


async def go_wrong_over_http(day: Day, http: httpx.AsyncClient, token: str, conversation: str) -> None:
    bearer = {"authorization": f"Bearer {token}"}
    messages = f"/api/v1/conversations/{conversation}/messages"
    sent = {"body": BODY, "client_id": "1"}
    await http.post(messages, headers=bearer, json=sent)
    asked: list[dict[str, Any]] = [
        {"json": {**sent, "body": BODY + "!"}},
        {"json": {**sent, "surprise": BODY}},
        {"json": {"body": [BODY]}},
        {"json": {"body": BODY, "encryption_flag": True, "key_id": f"{KEY_ID}!"}},
        {"content": f'{{"body": "{BODY}", "body": "{BODY}"}}'},
        {"content": f'{{"body": "{BODY}'},
        {"content": BODY.encode() * 50_000},
    ]
    as_json = bearer | {"content-type": "application/json"}
    answers = [await http.post(messages, headers=as_json, **each) for each in asked]
    names = ({"email": [EMAIL], "password": [PASSWORD]}, {"username": INJECTED, "password": PASSWORD})
    answers += [await http.post("/api/v1/sessions", json=name) for name in names]
    forged = {"authorization": f"Bearer {FORGED}", "user-agent": FORGED}
    paths = (f"/api/v1/invites/{FORGED}", f"/{FORGED}", f"/assets/{FORGED * 50}", f"/{quote(INJECTED)}")
    answers += [await http.get(path, headers=forged) for path in paths]
    answers.append(await http.get("/api/v1/me", headers={"authorization": f"Bearer {token[:-1]}"}))
    day.refusals += [answer.text for answer in answers]
    assert {answer.status_code for answer in answers} == {400, 401, 404, 409, 413, 422}


async def go_wrong_on_the_socket(day: Day, http: httpx.AsyncClient, token: str, conversation: str) -> None:
    address = f"{day.url.replace('http', 'ws')}/socket/websocket?vsn=2.0.0&token="
    for offered in (FORGED, quote(INJECTED), f"{token}x"):
        with pytest.raises(InvalidStatus):
            await connect(address + offered)
    topic = f"message:group:{conversation}"
    keyed = {"key_id": KEY_ID, "encryption_flag": True, "encryption_version": VERSION}
    for frame in (
        json.dumps(["1", "1", topic, "phx_join", keyed]),
        json.dumps(["1", "1", f"message:{INJECTED}", "phx_join", keyed]),
        json.dumps(["1", "1", topic, INJECTED, {"body": BODY}]),
        f'["1", "1", "{topic}", "new_msg", {{"body": "{BODY}", "body": NaN}}]',
        BODY,
        BODY.encode(),
        BODY * 50_000,
    ):
        async with connect(address + token) as socket_:
            with contextlib.suppress(ConnectionClosed):
                await socket_.send(frame)
                day.refusals.append(json.loads(await socket_.recv())[4]["response"]["reason"])
    for offered in (token, FORGED):
        await http.get("/socket/websocket", params={"token": offered})
        polled = (await http.get("/socket/longpoll", params={"vsn": "2.0.0", "token": offered})).json()
        session = {"vsn": "2.0.0", "token": polled.get("token", FORGED)}
        await http.post("/socket/longpoll", params=session, content=BODY)
        day.with_messages.append(session["token"])


def go_wrong_on_the_line(day: Day) -> None:
    """Send malformed requests."""
    where = day.url.removeprefix("http://").split(":")
    for line in (f"GET /{FORGED} HTTP/9\r\n\r\n", f"{BODY}\r\n\r\n", f"GET / HTTP/1.1\r\n{FORGED}\r\n\r\n"):
        with socket.create_connection((where[0], int(where[1])), 5) as raw:
            raw.sendall(line.encode())
            raw.recv(1024)


def hidden_in(text: str, secret: str) -> bool:
    """Return whether a text contains a secret, in plain or in a reversible encoding."""
    raw = secret.encode()
    forms = (secret, quote(secret), json.dumps(secret)[1:-1], base64.b64encode(raw).decode().rstrip("="), raw.hex())
    return any(form in text for form in forms)


async def test_the_day_went_as_it_should(day: Day) -> None:
    """Check the preconditions of the other tests of this module."""
    events = [json.loads(line)["event"] for line in day.log.splitlines()]

    assert {
        "famichat.session.started",
        "famichat.device.revoked",
        "famichat.authorization.denied",
        "famichat.message_channel.join",
        "famichat.message.sent",
    } <= set(events), sorted(set(events))
    assert {"not_found", "invalid_topic_format"} <= set(day.refusals)


async def test_the_log_holds_no_secret(day: Day) -> None:
    assert [secret for secret in day.secrets if hidden_in(day.log + day.output, secret)] == []


async def test_one_record_stays_one_line_whatever_a_stranger_writes(day: Day) -> None:
    records = [json.loads(line) for line in day.log.splitlines()]

    assert {"timestamp", "level", "event"} <= set.intersection(*(set(record) for record in records))
    assert not any("forged" in line or "\x1b" in line for line in day.log.splitlines())


async def test_nothing_went_wrong_inside(day: Day) -> None:
    assert [line for line in day.log.splitlines() if json.loads(line)["level"] in ("error", "critical")] == []


async def test_no_error_answer_repeats_a_secret_or_shows_the_inside(day: Day) -> None:
    reported = "\n".join(day.refusals)

    assert [secret for secret in day.secrets if hidden_in(reported, secret)] == []
    assert "Traceback" not in reported
    assert "/famichat/" not in reported


async def test_the_metrics_hold_no_secret(day: Day) -> None:
    assert "famichat_events_total" in day.metrics
    assert [secret for secret in [*day.secrets, "anna", "Berg"] if hidden_in(day.metrics, secret)] == []


async def test_the_traces_hold_no_secret(day: Day) -> None:
    assert "famichat.message.broadcast" in day.traces
    assert [secret for secret in [*day.secrets, "anna", "Berg"] if hidden_in(day.traces, secret)] == []


async def test_the_database_contains_no_message_text_and_no_address(day: Day) -> None:
    assert "anna" in day.database, "this is the right one"
    sealed = [PASSWORD, WRONG_PASSWORD, EMAIL, EMAIL.upper(), BODY, FORGED, *day.with_messages, *kept_secret(day.data)]
    assert [secret for secret in sealed if hidden_in(day.database, secret)] == []
