"""The operator's commands beside a running server, and when something else holds the lock."""

import asyncio
import socket
from threading import Thread
from typing import Any

import pytest

from famichat.cli.operator import administration
from famichat.storage.data_dir import DataDir
from famichat.telemetry.events import Event, FamilyMemberRemoved
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp
from tests.support.operator import Operator


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(administration, "PATIENCE_SECONDS", 0.05)


async def operate(app: RunningApp, *arguments: str, given: str = "") -> Any:
    """Run a command of the operator beside the server, in another thread."""
    operator = Operator(app.settings.data_dir, app.settings.effective_database_url)
    return await asyncio.to_thread(operator, *arguments, given=given)


async def test_a_new_password_signs_out_the_devices_of_a_running_server(app: RunningApp) -> None:
    async with app.connect(app.home.emil) as emil, app.http() as http:
        done = await operate(app, "user", "password", "emil", "--password-stdin", given="correct horse battery\n")
        await emil.closed()
        old = await http.post("/sessions", json={"username": "emil", "password": PASSWORD})
        new = await http.post("/sessions", json={"username": "emil", "password": "correct horse battery"})

    assert done["signed_out_devices"] == 1
    assert (old.status_code, new.status_code) == (401, 201)


async def test_a_sign_out_by_the_operator_is_recorded(app: RunningApp) -> None:
    async with app.connect(app.home.emil) as emil:
        assert (await operate(app, "user", "sign-out", "emil"))["signed_out_devices"] == 1
        await emil.closed()

    (entry,) = (await operate(app, "user", "ledger", "emil"))["entries"]
    assert (entry["action"], entry["by_id"]) == ("device_revoked", None)


async def test_a_member_removed_by_the_operator_receives_nothing_more(app: RunningApp, emitted: list[Event]) -> None:
    topic = f"message:family:{app.talks.family}"
    async with app.connect(app.home.emil) as emil:
        await emil.join(topic)
        await operate(app, "family", "remove", app.home.family_id, "emil")
        await emil.assert_broadcast(topic, "phx_close")

    assert [each.removed_by_id for each in emitted if isinstance(each, FamilyMemberRemoved)] == [None]
    actions = [each["action"] for each in (await operate(app, "user", "ledger", "emil"))["entries"]]
    assert "family_member_removed" in actions


async def test_people_are_added_invited_and_promoted_while_the_server_runs(app: RunningApp) -> None:
    family = app.home.family_id
    async with app.connect(app.home.maja) as maja:
        await maja.join(f"user:{app.home.maja.user_id}")
        added = await operate(app, "user", "add", "bosse", "--family", family, "--generate-password")
        changed = await maja.assert_broadcast(f"user:{app.home.maja.user_id}", "conversation_updated")
        invite = await operate(app, "invite", "create", family)
        assert (await operate(app, "invite", "revoke", family, invite["id"]))["revoked"]
        assert (await operate(app, "family", "role", family, "bosse", "admin"))["role"] == "admin"
        assert (await operate(app, "family", "add", "Berg", "--admin", "bosse"))["admin_id"] == added["id"]
        shown = await operate(app, "stats")
        await operate(app, "user", "delete", "emil", "--yes")

    assert added["id"] in str(changed.payload)
    assert (shown["families"], shown["connections"]) == (3, 1)


async def test_the_errors_of_a_running_server_are_those_of_the_command(app: RunningApp) -> None:
    operator = Operator(app.settings.data_dir)

    def refusals() -> list[str]:
        return [
            operator.refused("user", "add", "emil", "--generate-password"),
            operator.refused("user", "sign-out", "no-one"),
            operator.refused("family", "role", "no-one", "emil", "admin"),
            operator.refused("user", "add", "bosse", "--password-stdin", given="password\n"),
        ]

    assert await asyncio.to_thread(refusals) == ["username_taken", "not_found", "not_found", "weak_password"]
    taken = await asyncio.to_thread(operator.run, "user", "add", "emil", "--generate-password")
    assert "These are free: emil" in taken.stderr


def test_a_process_that_holds_the_lock_and_does_not_answer_is_named(at_home: Operator, impatient: None) -> None:
    with DataDir(at_home.data_dir).lock():
        refusal = at_home.run("user", "sign-out", "anna")

    assert "does not answer" in refusal.stderr
    assert refusal.stderr.endswith("(directory_in_use)\n")


def test_a_server_that_accepts_and_does_not_answer_is_named(at_home: Operator, impatient: None) -> None:
    (at_home.data_dir / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(at_home.data_dir / "run" / "admin.sock"))
        silent.listen()
        assert at_home.refused("user", "sign-out", "anna") == "directory_in_use"


def test_a_socket_left_behind_by_a_killed_server_is_ignored(at_home: Operator) -> None:
    (at_home.data_dir / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(at_home.data_dir / "run" / "admin.sock"))

    assert at_home("user", "sign-out", "anna")["signed_out_devices"] == 0


def test_a_server_of_another_release_is_refused(at_home: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(administration, "PROTOCOL", 2)
    (at_home.data_dir / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(at_home.data_dir / "run" / "admin.sock"))
        other.listen()
        other.settimeout(5)

        def greet() -> None:
            accepted, _ = other.accept()
            with accepted:
                accepted.sendall(b'{"famichat":"0.1","protocol":1}\n')

        thread = Thread(target=greet)
        thread.start()
        assert at_home.refused("user", "sign-out", "anna") == "other_release"
        thread.join()
