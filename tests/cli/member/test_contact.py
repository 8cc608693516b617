"""`famichat block`, `unblock` and `leave`."""

import asyncio

import pytest
from click.testing import CliRunner, Result

from famichat.cli.program import program
from tests.support.app import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_user_blocks_unblocks_and_leaves_from_a_terminal(shared_app: RunningApp) -> None:
    async def run(*arguments: str) -> Result:
        env = {"FAMICHAT_URL": shared_app.url, "FAMICHAT_TOKEN": shared_app.token(shared_app.home.maja)}
        return await asyncio.to_thread(CliRunner().invoke, program, list(arguments), env=env)

    assert (await run("block", "emil")).stdout == "Blocked emil.\n"
    refused = await run("send", shared_app.talks.direct, "hello")
    assert refused.exit_code != 0
    assert refused.stderr.endswith("(contact_ended)\n")
    assert (await run("unblock", "emil")).stdout == "Unblocked emil.\n"
    assert (await run("leave", shared_app.talks.direct)).stdout == "You left the conversation.\n"
    assert (await run("leave", shared_app.talks.direct)).stderr.endswith("(not_found)\n")
