"""Every example of docs/protocol.md works unchanged, and the server sends every payload on the page."""

import asyncio
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import CloseCode

from famichat.realtime import Limits
from famichat.realtime.transport.connection import (
    GOING_AWAY,
    INTERNAL_ERROR,
    PROTOCOL_ERROR,
    SERVICE_RESTART,
    SLOW_CONSUMER,
)
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp
from tests.support.node import FOLDER, install_clients, program

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def run(app: RunningApp, *command: str) -> str:
    """Run an example from the page in a shell; return its output."""
    variables = {
        "FAMICHAT_URL": app.url,
        "USERNAME": app.home.maja.username,
        "PASSWORD": PASSWORD,
        "CONVERSATION": app.talks.direct,
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


@pytest.mark.parametrize("example", examples("bash"))
async def test_the_curl_examples_work(app: RunningApp, example: str) -> None:
    answer = json.loads(await run(app, "bash", "-c", example))

    assert set(answer) == {"access_token", "expires_in", "refresh_token", "user", "device_id"}


@pytest.mark.parametrize("example", examples("js"))
async def test_the_javascript_example_works(app: RunningApp, example: str) -> None:
    install_clients()
    # Browsers and newer Node versions have a built-in WebSocket.
    with tempfile.NamedTemporaryFile("w", suffix=".mjs", dir=FOLDER) as script:
        script.write(f'import WS from "ws"\nglobalThis.WebSocket ??= WS\n{example}')
        script.flush()
        output = await run(app, program("node"), script.name)

    assert output == "joined at 0\n1: hello from JavaScript\n"


@pytest.mark.parametrize("example", examples("python"))
async def test_the_python_example_works(app: RunningApp, example: str) -> None:
    output = await run(app, sys.executable, "-c", example)

    assert "new_msg None\nphx_reply 2\nstored as 1\n" in output


async def test_the_payloads_on_the_page_have_the_fields_that_the_server_sends(app: RunningApp) -> None:
    join, message, changed, status, statuses, ledger, encrypted, people = map(json.loads, examples("json"))
    topic = f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await emil.join(topic)
        joined = await maja.join(topic)
        assert (await maja.ask(topic, "new_msg", encrypted)).status == "ok"
        received_events = (await emil.assert_broadcast(topic, "new_msg")).payload
        await emil.ask(topic, "react", {"message_id": received_events["message_id"], "emoji": "❤"})
        updated = (await maja.assert_broadcast(topic, "message_updated")).payload
        await emil.ask(topic, "message_ack", {"seq": 1})
        received = (await maja.assert_broadcast(topic, "message_status")).payload
        await maja.join(topic, {"message_statuses": True})
        await maja.ask(topic, "new_msg", encrypted | {"client_id": "2"})
        await emil.ask(topic, "message_ack", {"seq": 2})
        coalesced = (await maja.assert_broadcast(topic, "message_statuses")).payload
        done = await done_to_emil(app)
    async with app.http(app.home.maja) as http:
        seen = (await http.get("/people")).json()

    assert set(joined) == set(join)
    assert set(joined["conversation"]) == set(join["conversation"])
    assert set(received_events) == set(message)
    assert {key: received_events[key] for key in encrypted} == encrypted
    assert set(updated) == set(changed)
    assert set(updated["reactions"][0]) == set(changed["reactions"][0])
    assert set(received) == set(status)
    assert set(coalesced) == set(statuses)
    assert set(coalesced["statuses"][0]) == set(statuses["statuses"][0])
    assert set(done) == set(ledger)
    assert set(done["entries"][0]) == set(ledger["entries"][0])
    assert set(seen) == set(people)
    assert set(seen["people"][0]) == set(people["people"][0])


async def done_to_emil(app: RunningApp) -> dict[str, Any]:
    role = f"/conversations/{app.talks.group}/members/{app.home.emil.user_id}/role"
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        await maja.put(role, json={"role": "admin"})
        done: dict[str, Any] = (await emil.get("/me/ledger")).json()
    return done


def test_every_close_code_that_the_server_sends_is_on_the_page() -> None:
    own = {GOING_AWAY, PROTOCOL_ERROR, INTERNAL_ERROR, SERVICE_RESTART, SLOW_CONSUMER}
    listed = re.search(r"^\| close code .*?\n\n", PAGE, re.MULTILINE | re.DOTALL)

    assert listed is not None
    documented = set(map(int, re.findall(r"\b\d{4}\b", "".join(re.findall(r"^\|[^|]*", listed[0], re.MULTILINE)))))
    assert documented == own | {CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG, CloseCode.TRY_AGAIN_LATER}
    assert CloseCode.NORMAL_CLOSURE not in documented


def test_the_page_says_what_phones_do_to_sockets() -> None:
    heading = r"^## \d+\. On phones: iOS and Android in the background$"
    section = re.search(rf"{heading}(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)

    assert section is not None
    described = re.findall(r"^- \*\*(.+?)\*\* ", section[1], re.MULTILINE)
    assert described == ["iOS", "Android", "Desktop browsers"]
    # The time after which the server closes a silent connection, and the way back.
    assert f"after {Limits().idle_timeout:.0f} seconds of\n  silence" in section[1]
    for step in ("heartbeat", "`last_seq`", "`last_change`", "`epoch`", "`client_id`", "Web Push"):
        assert step in section[1]
