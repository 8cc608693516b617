"""`famichat openapi`."""

import json

from click.testing import CliRunner

from famichat.cli.program import program
from tests.support.app import RunningApp


async def test_it_prints_the_document_of_the_server(app: RunningApp) -> None:
    printed = CliRunner().invoke(program, ["openapi"])
    async with app.site() as site:
        served = (await site.get("/api/openapi.json")).json()

    document = json.loads(printed.output)
    served["paths"] = {path: served["paths"][path] for path in document["paths"]}
    assert printed.exit_code == 0
    assert document["paths"] == served["paths"]
    assert document["x-websocket-events"] == served["x-websocket-events"]
    assert document["components"]["schemas"].items() <= served["components"]["schemas"].items()
