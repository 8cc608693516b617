"""The commands of docs/operating.md, run in order with a real server."""

import json
import re
import shlex
from pathlib import Path
from string import Template

import httpx

from tests.support.program import famichat, started

PAGE = (Path(__file__).parents[2] / "docs/operating.md").read_text()
FAMILY = ("bela", "clara", "dora", "emil")


def commands() -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_commands_lead_from_nothing_to_a_family_of_five(tmp_path: Path) -> None:
    export, serve, *others = commands()
    variable, _, folder = export.removeprefix("export ").partition("=")
    settings = {variable: Template(folder).substitute(HOME=tmp_path), "FAMICHAT_RATE_LIMITS": "off"}
    links: list[str] = []
    last = ""
    with started(*shlex.split(serve)[1:], "--json", FAMICHAT_PORT="0", **settings) as server:
        url = json.loads(server.line())["url"].replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - replaced, not bound
        settings["FAMICHAT_PORT"] = url.rpartition(":")[2]
        for command in others:
            arguments = shlex.split(Template(command).substitute(HOME=tmp_path))
            assert arguments[0] == "famichat"
            if arguments[1:3] == ["user", "list"] and len(links) == len(FAMILY):
                join(url, links)
                links.clear()
            ran = famichat(*arguments[1:], **settings)
            assert ran.returncode == 0, f"{command}: {ran.stderr}"
            last = ran.stdout
            links += re.findall(r"^http\S+/invite#\S+$", last, re.MULTILINE)
        assert server.end() == 0

    assert [name for name in ("anna", *FAMILY) if name in last] == ["anna", *FAMILY]


def join(url: str, links: list[str]) -> None:
    """Let one person in by each link, as the page of the link does."""
    with httpx.Client(base_url=url, trust_env=False) as http:
        for name, link in zip(FAMILY, links, strict=True):
            account = {"token": link.partition("#")[2], "username": name, "password": "a long enough one"}
            assert http.post("/api/v1/invites/accept", json=account).status_code == 201
