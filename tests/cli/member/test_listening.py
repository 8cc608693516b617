import json
from pathlib import Path

from tests.support.program import famichat, started


def test_a_listener_receives_everything_once_across_a_server_restart(tmp_path: Path) -> None:
    people = {"XDG_CONFIG_HOME": str(tmp_path / "maja")}
    demo = ("demo", "--json", "--data-dir", tmp_path / "demo", "--port")
    with started(*demo, 0) as server:
        ready = json.loads(server.line())
        password = f"{ready['users'][0]['password']}\n"
        famichat("login", "maja", "--url", ready["url"], "--password-stdin", given=password, **people)
        with started("listen", "family", "--history", "0", "--json", **people) as listening:
            listening.event("joined")
            seq = famichat("send", "family", "before", **people).stdout.strip()
            changed: list[str] = []
            received_events = [listening.event("new_msg")["body"]]
            server.end()

            with started(*demo, ready["url"].rpartition(":")[2]) as again:
                again.line()
                famichat("send", "family", "while nobody listened, or after", **people)
                famichat("edit", "family", seq, "in other words", **people)
                famichat("send", "family", "after", **people)
                while received_events[-1] != "after" or not changed:
                    received = json.loads(listening.line())
                    if received["event"] in {"new_msg", "message_updated"}:
                        (received_events if received["event"] == "new_msg" else changed).append(
                            received["payload"]["body"]
                        )

    assert received_events == ["before", "while nobody listened, or after", "after"]
    assert changed == ["in other words"]
