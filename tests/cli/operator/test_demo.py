import json
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.program import famichat, started


def test_json_output_has_all_connection_data_in_one_line(tmp_path: Path) -> None:
    with started("demo", "--port", "0", "--json", TMPDIR=tmp_path) as demo:
        ready = json.loads(demo.line())
        people = [_me(ready, user) for user in ready["users"]]
        admin = _http(ready, ready["users"][0])
        found = {each["id"]: each["type"] for each in admin.get("/conversations").json()["conversations"]}
        admin.close()
        code = demo.end()
        rest = demo.output.read()

    assert set(ready) == {"url", "families", "users", "conversations", "encrypted_group"}
    assert [set(family) for family in ready["families"]] == [{"id", "name"}] * 2
    assert {frozenset(user) for user in ready["users"]} == {frozenset({"id", "username", "password", "family_ids"})}
    assert list(ready["conversations"]) == ["self", "direct", "group", "family"]
    assert found == {id_: kind for kind, id_ in ready["conversations"].items()}
    assert [(me["id"], [family["id"] for family in me["families"]]) for me in people] == [
        (user["id"], user["family_ids"]) for user in ready["users"]
    ]
    assert [me["families"][0]["role"] for me in people] == ["admin", "member", "member", "member", "admin"]
    assert people[0]["families"][0]["id"] != people[-1]["families"][0]["id"]
    assert (code, rest) == (0, "")


def test_the_demo_has_messages_that_can_be_replied_to(tmp_path: Path) -> None:
    with started("demo", "--port", "0", "--json", TMPDIR=tmp_path) as demo:
        ready = json.loads(demo.line())
        with _http(ready, ready["users"][0]) as http:
            pages = {
                kind: http.get(f"/conversations/{id_}/messages").json()["messages"]
                for kind, id_ in ready["conversations"].items()
            }
            broadcast = {"conversation_type": "family", "conversation_id": ready["conversations"]["family"]}
            answered = http.post("/test/broadcast", json={**broadcast, "body": "hello"})

    assert all(len(messages) >= 2 for messages in pages.values())
    assert [message["seq"] for message in pages["family"]] == [1, 2, 3, 4]
    assert answered.json()["seq"] == 5


def test_the_demo_has_a_group_that_only_accepts_encrypted_messages_and_waits_for_no_device(tmp_path: Path) -> None:
    with started("demo", "--port", "0", "--json", TMPDIR=tmp_path) as demo:
        ready = json.loads(demo.line())
        people = {user["username"]: user for user in ready["users"]}
        path = f"/conversations/{ready['encrypted_group']}"
        with _http(ready, people["emil"]) as emil:
            group, state = emil.get(path).json(), emil.get(f"{path}/mls").json()
            refused = emil.post(f"{path}/messages", json={"body": "in plain words"}).json()
            own_id = emil.get("/me").json()["id"]

    assert (group["encryption_status"], group["mls"], refused["code"]) == ("enabled", None, "encryption_required")
    assert {each["user_id"] for each in group["members"]} == {people[name]["id"] for name in ("emil", "inga", "nils")}
    assert state["waiting_for"] == [own_id]  # whose client has no keys yet


@pytest.fixture
def not_under_nohup() -> Iterator[None]:
    """Restore the default SIGHUP handler: commands inherit an ignored SIGHUP from the test process."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("not_under_nohup")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_temporary_directory_is_deleted_at_the_end(tmp_path: Path, how: signal.Signals) -> None:
    with started("demo", "--port", "0", "--json", TMPDIR=tmp_path) as demo:
        demo.line()
        during = list(tmp_path.glob("famichat-*/famichat.db"))
        demo.end(how)

    assert len(during) == 1
    assert list(tmp_path.glob("famichat-*")) == []


def test_a_given_directory_stays_and_gives_the_same_people_again(tmp_path: Path) -> None:
    sent = []
    for _ in range(2):
        with started("demo", "--port", "0", "--json", "--data-dir", tmp_path / "demo") as demo:
            sent.append(json.loads(demo.line()))
            assert _me(sent[-1], sent[-1]["users"][0])["username"] == "maja"
            assert demo.end() == 0

    first, second = ({**each, "url": ""} for each in sent)
    assert first == second
    assert stat.S_IMODE((tmp_path / "demo" / "demo.json").stat().st_mode) == 0o600


def test_the_output_explains_sign_in_the_event_viewer_and_curl(tmp_path: Path) -> None:
    with started("demo", "--port", "0", TMPDIR=tmp_path) as demo:
        lines = [demo.line()]
        while "Ctrl-C" not in lines[-1]:
            lines.append(demo.line())
    output = "".join(lines)

    assert lines[0].startswith("Famichat is running at http://127.0.0.1:")
    assert all(name in output for name in ("maja", "emil", "inga", "nils", "ada"))
    assert "/events#token=" in output
    assert "curl -X POST http://127.0.0.1:" in output


def test_the_directory_of_a_real_server_is_left_alone(tmp_path: Path) -> None:
    famichat("user", "add", "anna", "--generate-password", data_dir=tmp_path)
    famichat("family", "add", "Berg", "--admin", "anna", data_dir=tmp_path)

    refused = famichat("demo", "--port", "0", "--data-dir", tmp_path)

    assert refused.returncode == 1
    assert refused.stderr.endswith("(not_a_demo)\n")


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        refused = famichat("demo", "--json", "--port", other.getsockname()[1], TMPDIR=tmp_path)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "famichat: This port is in use. Choose another one with --port (port_taken)\n"
    assert list(tmp_path.iterdir()) == []


def test_an_operators_policy_holds_in_the_demo_too(tmp_path: Path) -> None:
    with started("demo", "--port", "0", "--json", TMPDIR=tmp_path, encryption_policy_direct="required") as demo:
        ready = json.loads(demo.line())
        with _http(ready, ready["users"][0]) as http:
            path = f"/conversations/{ready['conversations']['direct']}/messages"
            silent, refused = http.get(path).json(), http.post(path, json={"body": "in plain words"}).json()

    assert silent["messages"] == []
    assert refused["code"] == "encryption_required"


def _http(ready: dict[str, Any], user: dict[str, Any]) -> httpx.Client:
    sign_in = {"username": user["username"], "password": user["password"]}
    answered = httpx.post(f"{ready['url']}/api/v1/sessions", json=sign_in, trust_env=False).json()
    bearer = {"authorization": f"Bearer {answered['access_token']}"}
    return httpx.Client(base_url=f"{ready['url']}/api/v1", headers=bearer, trust_env=False)


def _me(ready: dict[str, Any], user: dict[str, Any]) -> Any:
    with _http(ready, user) as http:
        return http.get("/me").json()
