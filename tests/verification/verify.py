"""One notification, followed from end to end (mission, story 7.5.1): `./run verify`.

A demo server, two people at the official Phoenix client, and curl that causes a broadcast. Both must receive it exactly
once, one acknowledges, the other receives that; an outsider's attempt must reach no one; and the server's own log must
tell the same story. What happened is printed and kept, without anything secret.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.node import install_clients, program

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
KEPT: Final = ROOT / "dist" / "verification.log"
PATIENCE: Final = 10.0
QUIET: Final = 0.5
BODY: Final = "The ferry leaves at noon"


class NotVerifiedError(Exception):
    """A step of the verification failed."""


class Record:
    """What happened, line by line, with every secret replaced by its name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._secrets: dict[str, str] = {}
        self._writing = threading.Lock()

    def hide(self, secret: str, name: str) -> None:
        self._secrets[secret] = f"<{name}>"

    def note(self, who: str, what: str) -> None:
        for secret, name in self._secrets.items():
            what = what.replace(secret, name)
        line = f"{datetime.now(UTC):%H:%M:%S.%f}"[:-3] + f"  {who:<7} {what}"
        with self._writing:
            self.lines.append(line)
            print(line, flush=True)  # noqa: T201 - this is what the script is for


@dataclass
class Witness:
    """One user at the official client, in a separate process."""

    name: str
    process: "subprocess.Popen[str]"
    record: Record
    received: list[dict[str, Any]] = field(default_factory=list)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            sent = json.loads(line)
            self.record.note(self.name, f"{sent['event']} {json.dumps(sent['payload'], ensure_ascii=False)}")
            self.received.append(sent)

    def all(self, event: str) -> list[dict[str, Any]]:
        return [sent["payload"] for sent in self.received if sent["event"] == event]

    def expect(self, event: str) -> dict[str, Any]:
        """Wait for the first such event."""
        deadline = time.monotonic() + PATIENCE
        while not self.all(event):
            if time.monotonic() > deadline:
                raise NotVerifiedError(f"{self.name} did not hear {event}")
            time.sleep(0.01)
        return self.all(event)[0]


def verify(record: Record) -> None:
    """Verify the path of one notification.

    Raises:
        NotVerifiedError: with the reason.
    """
    with tempfile.TemporaryDirectory(prefix="famichat-verify-") as folder:
        log = Path(folder) / "server.log"
        with ExitStack() as stack:
            demo = stack.enter_context(_demo(log))
            record.note("server", f"ready at {demo['url']}")
            tokens = {user["username"]: _sign_in(demo["url"], user, record) for user in demo["users"]}
            _follow(record, stack, demo, tokens)
        _check_log(record, log, [BODY, *tokens.values()])


def _follow(record: Record, stack: ExitStack, demo: dict[str, Any], tokens: dict[str, str]) -> None:
    """Send one permitted and one forbidden notification."""
    url, conversation = demo["url"], demo["conversations"]["family"]
    topic = f"message:family:{conversation}"
    maja = stack.enter_context(_witness("maja", url, tokens["maja"], topic, record))
    inga = stack.enter_context(_witness("inga", url, tokens["inga"], topic, record, acknowledges=True))
    for witness in (maja, inga):
        witness.expect("joined")

    status, answered = _curl(url, tokens["emil"], conversation, BODY, record)
    _check(record, f"curl was answered {status}", holds=status == httpx.codes.OK)
    for witness in (maja, inga):
        witness.expect("new_msg")
    reported = maja.expect("message_status")
    status, refused = _curl(url, tokens["ada"], conversation, "I should not be heard", record)
    time.sleep(QUIET)

    for witness in (maja, inga):
        received = witness.all("new_msg")
        same = [message["message_id"] for message in received] == [answered["message_id"]]
        _check(record, f"{witness.name} heard it exactly once", holds=same and received[0]["body"] == BODY)
    acknowledged = (reported["seq"], reported["status"]) == (answered["seq"], "read") and len(
        inga.all("acknowledged")
    ) == 1
    _check(record, "inga acknowledged it, and maja heard of that", holds=acknowledged)
    no_one = (status, refused["code"]) == (httpx.codes.NOT_FOUND, "not_found")
    _check(record, "the outsider was refused, and nobody heard a thing", holds=no_one)


@contextmanager
def _demo(log: Path) -> Iterator[dict[str, Any]]:
    """A demo server on a free port, with its log in a file."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    settings = {"FAMICHAT_LOG_LEVEL": "DEBUG", "FAMICHAT_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "famichat", "demo", "--port", "0", "--json"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, env=clean | settings
        ) as process,
    ):
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            if not ready:
                raise NotVerifiedError(f"the server did not start: {log.read_text()[-2000:]}")
            yield json.loads(ready)
        finally:
            process.terminate()


@contextmanager
def _witness(
    name: str, url: str, token: str, topic: str, record: Record, *, acknowledges: bool = False
) -> Iterator[Witness]:
    settings = {"FAMICHAT_URL": url, "TOKEN": token, "TOPIC": topic, "ACKNOWLEDGE": "1" if acknowledges else ""}
    with subprocess.Popen(
        [program("node"), HERE / "witness.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | settings,
    ) as process:
        assert process.stdin is not None
        witness = Witness(name, process, record)
        listening = threading.Thread(target=witness.listen, name=name)
        listening.start()
        try:
            yield witness
        finally:
            process.stdin.close()
            listening.join(PATIENCE)


def _sign_in(url: str, user: dict[str, str], record: Record) -> str:
    sign_in = {"username": user["username"], "password": user["password"], "device_name": "Verification"}
    answered = httpx.post(f"{url}/api/v1/sessions", json=sign_in, trust_env=False).raise_for_status()
    token: str = answered.json()["access_token"]
    record.hide(token, f"access token of {user['username']}")
    return token


def _curl(url: str, token: str, conversation: str, body: str, record: Record) -> tuple[int, dict[str, Any]]:
    """Cause a broadcast as the mission does, from a shell (7.4.2)."""
    asked = {"conversation_type": "family", "conversation_id": conversation, "body": body}
    command = ["curl", "--silent", "--noproxy", "*", "--write-out", r"\n%{http_code}", "-X", "POST"]
    command += [f"{url}/api/v1/test/broadcast", "-H", f"authorization: Bearer {token}"]
    command += ["-H", "content-type: application/json", "-d", json.dumps(asked)]
    record.note("curl", f"curl {shlex.join(command[6:])}")
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    answered, _, status = answer.rpartition("\n")
    record.note("curl", f"{status} {answered}")
    return int(status), json.loads(answered)


def _check_log(record: Record, log: Path, secret: list[str]) -> None:
    """The server's log of it."""
    text = log.read_text()
    reported = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    story = [each for each in reported if each["event"].startswith("famichat.message_channel.")]
    for each in story:
        fields = {name: value for name, value in each.items() if name not in {"event", "level", "timestamp"}}
        record.note("log", f"{each['event']} {json.dumps(fields)}")
    names = [f"{each['event']} {each.get('broadcast_event', '')}".strip() for each in story]
    wanted = {
        "famichat.message_channel.join": 2,
        "famichat.message_channel.broadcast new_msg": 1,
        "famichat.message_channel.broadcast message_status": 1,
        "famichat.message_channel.ack": 1,
    }
    counted = {name: names.count(name) for name in wanted}
    _check(record, f"the server's log tells the same: {counted}", holds=counted == wanted)
    _check(record, "no token, and no word of the message, is in it", holds=not any(each in text for each in secret))


def _check(record: Record, what: str, *, holds: bool) -> None:
    record.note("VERIFY" if holds else "FAILED", what)
    if not holds:
        raise NotVerifiedError(what)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, default=KEPT, help="where the log of the run is kept")
    log: Path = parser.parse_args().log
    install_clients()
    record, verified = Record(), False
    try:
        verify(record)
        verified = True
        record.note("VERIFY", "the notification went from end to end")
    except NotVerifiedError as fault:
        record.note("FAILED", str(fault))
    finally:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("\n".join(record.lines) + "\n")
    return 0 if verified else 1


if __name__ == "__main__":
    sys.exit(main())
