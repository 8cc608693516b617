"""The encryption policy: shown to clients, enforced on every transport, without effect on stored messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from famichat.cli.program import program
from tests.integration.test_envelopes import refusal_at
from tests.support.app import RunningApp, running_app, served

SEALED = {"body": "9d_-x", "encryption_flag": True, "encryption_version": "v1.0.0", "key_id": "KEY_FAMILY_v1"}
REQUIRED, FORBIDDEN = "encryption_required", "invalid_encryption_metadata"


@asynccontextmanager
async def restarted(app: RunningApp, policy: str) -> AsyncIterator[RunningApp]:
    """The same server with another policy for direct conversations."""
    settings = app.settings.model_copy(update={"encryption_policy_direct": policy})
    async with served(settings) as ready:
        yield replace(app, url=ready.url, settings=settings)


async def in_terminal(app: RunningApp, payload: dict[str, Any]) -> str:
    """Return the error code with which `famichat send` fails."""
    envelope = '{"encryption_version": "v1.0.0", "key_id": "KEY_FAMILY_v1"}'
    options = ["--envelope", envelope] if payload is SEALED else []
    arguments = ["send", app.talks.direct, payload["body"], *options]
    signed_in = {"FAMICHAT_URL": app.url, "FAMICHAT_TOKEN": app.token(app.home.maja)}
    ended = await asyncio.to_thread(CliRunner().invoke, program, arguments, env=signed_in)
    return str(ended.output).rpartition("(")[2].rstrip(")\n")


@pytest.mark.parametrize(
    ("policy", "payload", "code"), [("required", {"body": "hej"}, REQUIRED), ("forbidden", SEALED, FORBIDDEN)]
)
async def test_every_door_refuses_what_the_policy_refuses_and_nothing_is_stored(
    database_url: str, tmp_path: Path, policy: str, payload: dict[str, Any], code: str
) -> None:
    async with running_app(database_url, tmp_path, encryption_policy_direct=policy) as app:
        for door in ("socket", "HTTP", "test endpoint"):
            refused = await refusal_at(app, door, payload)
            assert (refused["code"], refused["error_code"]) == (code, 604), door
        assert await in_terminal(app, payload) == code

        async with app.http(app.home.maja) as http, app.connect(app.home.maja) as maja:
            shown = (await http.get(f"/conversations/{app.talks.direct}")).json()
            joined = await maja.join(f"message:direct:{app.talks.direct}")
    assert (shown["encryption_policy"], shown["last_seq"], joined["messages"]) == (policy, 0, [])
    assert joined["conversation"]["encryption_policy"] == policy
    assert joined["encryption_status"] == shown["encryption_status"] == ("enabled" if code == REQUIRED else "disabled")


async def test_changed_settings_keep_messages_readable_and_required_encryption_stays_required(
    database_url: str, tmp_path: Path
) -> None:
    async with running_app(database_url, tmp_path) as app:
        sent = [await post(app, {"body": "hej"}), await post(app, SEALED)]
    before = [message["body"] for message in sent]
    assert before == ["hej", "9d_-x"]

    for policy in ("forbidden", "required", "optional", "forbidden"):
        async with restarted(app, policy) as again:
            assert await bodies(again) == before
            once = policy == "required" or len(before) > 2
            if once:
                assert (await post(again, {"body": "plain again"}))["code"] == REQUIRED
                before.append((await post(again, SEALED))["body"])
                assert await bodies(again) == before


async def post(app: RunningApp, payload: dict[str, Any]) -> dict[str, Any]:
    async with app.http(app.home.maja) as http:
        answer: dict[str, Any] = (await http.post(f"/conversations/{app.talks.direct}/messages", json=payload)).json()
    return answer


async def bodies(app: RunningApp) -> list[str]:
    async with app.http(app.home.emil) as http:
        page = (await http.get(f"/conversations/{app.talks.direct}/messages")).json()
    return [message["body"] for message in page["messages"]]
