import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.program import famichat, started


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A demo shared by the tests of this file; each test sends different messages."""
    folder = tmp_path_factory.mktemp("demo")
    with started("demo", "--port", "0", "--json", "--data-dir", folder) as server:
        yield json.loads(server.line())


class Terminal:
    """A terminal user, signed in as one of the demo's users."""

    def __init__(self, demo: dict[str, Any], username: str, folder: Path) -> None:
        self.demo = demo
        self.config = folder / username
        self._user = next(user for user in demo["users"] if user["username"] == username)

    def login(self, password: str | None = None) -> "subprocess.CompletedProcess[str]":
        arguments = ("login", self._user["username"], "--url", self.demo["url"], "--password-stdin")
        return self.run(*arguments, given=f"{password or self._user['password']}\n")

    def run(self, *arguments: str, given: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
        return famichat(*arguments, given=given, XDG_CONFIG_HOME=self.config, **settings)

    def start(self, *arguments: str) -> Any:
        return started(*arguments, XDG_CONFIG_HOME=self.config)

    @property
    def session_file(self) -> Path:
        return self.config / "famichat" / "session.json"

    def access_token(self) -> str:
        token: str = json.loads(self.session_file.read_text())["access_token"]
        return token


@pytest.fixture
def maja(demo: dict[str, Any], tmp_path: Path) -> Terminal:
    terminal = Terminal(demo, "maja", tmp_path)
    assert terminal.login().returncode == 0
    return terminal


@pytest.fixture
def emil(demo: dict[str, Any], tmp_path: Path) -> Terminal:
    terminal = Terminal(demo, "emil", tmp_path)
    assert terminal.login().returncode == 0
    return terminal


def test_a_sign_in_is_kept_for_its_owner_only(maja: Terminal) -> None:
    assert maja.session_file.stat().st_mode & 0o777 == 0o600
    assert maja.session_file.parent.stat().st_mode & 0o777 == 0o700


def test_a_wrong_password_is_reported(demo: dict[str, Any], tmp_path: Path) -> None:
    refused = Terminal(demo, "maja", tmp_path).login("not this one")

    assert refused.returncode == 1
    assert refused.stderr == "famichat: Wrong name or password (invalid_credentials)\n"


def test_a_sent_message_reaches_a_listener_live(maja: Terminal, emil: Terminal) -> None:
    with emil.start("listen", "direct", "--history", "0", "--json") as listening:
        assert json.loads(listening.line())["event"] == "joined"
        sent = json.loads(maja.run("send", "direct", "hello from here", "--json").stdout)
        received = listening.event("new_msg")

    assert received == sent
    assert received["body"] == "hello from here"


def test_displayed_messages_are_acknowledged_except_the_own_ones(maja: Terminal, emil: Terminal) -> None:
    with maja.start("listen", "group", "--history", "0", "--json") as watching:
        watching.event("joined")
        with emil.start("listen", "Summer house", "--history", "0", "--acknowledge", "read", "--json") as listening:
            listening.event("joined")
            maja.run("send", "group", "did you see this?")
            status = watching.event("message_status", user_id=emil.demo["users"][1]["id"])

    assert status["status"] == "read"


def test_messages_are_printed_with_their_sender_in_order(maja: Terminal) -> None:
    with maja.start("listen", "self", "--history", "1") as listening:
        earlier = listening.line()
        maja.run("send", "self", given="piped in\n")
        live = listening.line()
        ended = listening.end(signal.SIGINT), listening.errors()

    assert earlier.split()[2] == "maja:"
    assert live.split()[2:] == ["maja:", "piped", "in"]
    assert ended == (0, "\n")


def test_changes_reach_the_other_user(maja: Terminal, emil: Terminal) -> None:
    seq = maja.run("send", "group", "at six").stdout.strip()
    with emil.start("listen", "Summer house", "--history", "1") as listening:
        assert listening.line().split()[2:] == ["maja:", "at", "six"]
        outcomes = [
            maja.run("edit", "group", seq, "at seven"),
            maja.run("react", "group", seq, "👍"),
            maja.run("react", "group", seq),
            maja.run("delete", "group", seq),
        ]
        seen = [" ".join(listening.line().split()[2:]) for _ in range(4)]

    assert [each.stdout for each in outcomes] == ["Edited.\n", "Reacted.\n", "Reaction removed.\n", "Deleted.\n"]
    assert seen == [
        "maja: at seven (edited)",
        "maja: at seven (edited) 👍",
        "maja: at seven (edited)",
        "maja: (deleted)",
    ]
    assert maja.run("delete", "group", "99999").stderr.endswith("(not_found)\n")


def test_the_same_client_id_sends_a_message_once(maja: Terminal) -> None:
    first, again = (maja.run("send", "family", "once", "--client-id", "the-same", "--json").stdout for _ in range(2))

    assert json.loads(first)["message_id"] == json.loads(again)["message_id"]


def test_a_conversation_is_found_by_id_topic_or_name(maja: Terminal) -> None:
    listed = json.loads(maja.run("conversations", "--json").stdout)["conversations"]
    group = maja.demo["conversations"]["group"]

    assert {each["id"] for each in listed} == set(maja.demo["conversations"].values())
    assert "Summer house" in maja.run("conversations").stdout
    for name in (group, f"message:group:{group}", "Summer house"):
        assert maja.run("send", name, "here").returncode == 0
    assert maja.run("send", "Winter house", "here").stderr.endswith("(not_found)\n")


def test_an_expired_access_token_is_renewed_unseen(maja: Terminal) -> None:
    session = json.loads(maja.session_file.read_text())
    maja.session_file.write_text(json.dumps({**session, "access_token": "expired"}))

    assert maja.run("conversations").returncode == 0
    assert maja.access_token() != "expired"


def test_a_listener_with_an_expired_access_token_renews_it_too(maja: Terminal) -> None:
    session = json.loads(maja.session_file.read_text())
    with maja.start("listen", "self", "--json") as listening:
        listening.event("joined")
    maja.session_file.write_text(json.dumps({**session, "access_token": "expired"}))

    with maja.start("listen", "self", "--json") as listening:
        assert json.loads(listening.line())["event"] == "joined"


def test_a_token_serves_instead_of_a_sign_in(maja: Terminal, tmp_path: Path) -> None:
    elsewhere = {"XDG_CONFIG_HOME": str(tmp_path / "nobody"), "url": maja.demo["url"], "token": maja.access_token()}

    assert famichat("send", "self", "by token", **elsewhere).returncode == 0
    assert famichat("send", "self", "by token", **{**elsewhere, "token": "wrong"}).stderr.endswith("(invalid_token)\n")


def test_without_a_sign_in_the_error_names_the_command(tmp_path: Path) -> None:
    for command in (["conversations"], ["send", "self", "x"], ["listen", "self"], ["logout"]):
        refused = famichat(*command, XDG_CONFIG_HOME=tmp_path)
        assert (refused.returncode, refused.stderr[-15:]) == (1, "(unauthorized)\n")


def test_signing_out_ends_it_here_and_at_the_server(maja: Terminal) -> None:
    token = maja.access_token()
    signed_out = maja.run("logout")

    assert signed_out.stdout == "Signed out.\n"
    assert not maja.session_file.exists()
    bearer = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{maja.demo['url']}/api/v1/me", headers=bearer, trust_env=False).status_code == 401


def test_a_listener_is_sent_away_when_its_device_is_signed_out(maja: Terminal) -> None:
    with maja.start("listen", "self", "--json") as listening:
        listening.event("joined")
        maja.run("logout")

        assert listening.process.wait(10) == 1
        assert listening.errors().endswith("(invalid_token)\n")


def test_an_unreachable_server_is_reported(tmp_path: Path) -> None:
    nowhere = {"XDG_CONFIG_HOME": str(tmp_path), "token": "some", "url": "http://127.0.0.1:1"}

    assert famichat("conversations", **nowhere).stderr == "famichat: Cannot reach http://127.0.0.1:1 (unreachable)\n"
