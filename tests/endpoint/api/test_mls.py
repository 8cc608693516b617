"""An encrypted group over HTTP and the WebSocket, on both databases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from famichat.endpoint.schemas.binary import decode
from famichat.storage.base import new_id
from famichat.telemetry.events import CommitAccepted, CommitRejected, Event, MlsGroupCreated
from tests.factories.people import Person
from tests.support.app import RunningApp, running_app
from tests.support.mls import MlsAccount, MlsDevice, MlsGroupModel, b64, commit_json, encrypted_message, raw_public


@pytest.fixture
async def required(database_url: str, tmp_path: Path) -> AsyncIterator[RunningApp]:
    """An application whose groups must be encrypted."""
    async with running_app(database_url, tmp_path, encryption_policy_group="required") as app:
        yield app


@asynccontextmanager
async def signed_device(app: RunningApp, who: Person) -> AsyncIterator[tuple[httpx.AsyncClient, MlsDevice]]:
    """A client of a person whose device has published its keys and two key packages."""
    device, account = MlsDevice(who.user_id, who.device_id), MlsAccount(who.user_id)
    async with app.http(who) as http:
        published = await http.put("/me/keys", json=keys(device, account))
        assert (published.status_code, published.json()) == (200, {"account_version": 1})
        packages = {"packages": [b64(device.key_package()) for _ in range(2)], "last_resort": b64(device.key_package())}
        assert (await http.put("/me/key-packages", json=packages)).json() == {"count": 2}
        yield http, device


def keys(device: MlsDevice, account: MlsAccount) -> dict[str, Any]:
    return {
        "signature_key": b64(device.signature_key),
        "hpke_key": b64(device.hpke_key),
        "certificate": b64(account.certificate(device)),
        "account": {"version": 1, "public_key": b64(raw_public(account.key)), "hpke_key": b64(account.hpke_key)},
    }


async def claimed(http: httpx.AsyncClient, group: str, devices: list[MlsDevice]) -> list[tuple[MlsDevice, bytes]]:
    by_id = {each.device_id: each for each in devices}
    found = (await http.post(f"{group}/mls/key-packages")).json()["key_packages"]
    return [(by_id[each["device_id"]], decode(each["key_package"])) for each in found]


async def test_a_group_is_encrypted_and_talks(required: RunningApp, emitted: list[Event]) -> None:
    home, group = required.home, f"/conversations/{required.talks.group}"
    topic = f"message:group:{required.talks.group}"
    async with (
        signed_device(required, home.maja) as (maja, a),
        signed_device(required, home.emil) as (emil, b),
        signed_device(required, home.inga) as (_, c),
        required.connect(home.maja) as maja_socket,
        required.connect(home.emil) as emil_socket,
    ):
        before = (await maja.get(f"{group}/mls")).json()
        assert (before["generation"], before["ready"]) == (None, True)
        assert {each["device_id"] for each in before["missing_devices"]} == {each.device_id for each in (a, b, c)}
        joined = await emil_socket.join(topic)
        assert joined["conversation"]["mls"] is None
        await emil_socket.join(f"user:{home.emil.user_id}")
        await maja_socket.join(topic)

        model = MlsGroupModel(a)
        add = await claimed(maja, group, [b, c])
        creation = commit_json(model.commit(a, add=add))
        created = await maja.post(f"{group}/mls", json=creation)
        again = await maja.post(f"{group}/mls", json=creation)
        model.advance()

        assert (created.status_code, created.json()) == (201, {"generation": 0, "epoch": 1})
        assert (again.status_code, again.json()) == (201, {"generation": 0, "epoch": 1})
        announced = (await emil_socket.assert_broadcast(topic, "epoch_changed")).payload
        assert announced == {
            "generation": 0,
            "epoch": 1,
            "commit": creation["commit"],
            "user_id": home.maja.user_id,
            "device_id": a.device_id,
            "since_seq": 0,
        }
        welcome = (await emil_socket.assert_broadcast(f"user:{home.emil.user_id}", "welcome")).payload
        assert welcome == {"conversation_id": required.talks.group}

        [waiting] = (await emil.get("/me/welcomes")).json()["welcomes"]
        assert (waiting["welcome"], waiting["epoch"]) == (creation["welcome"], 1)
        for _ in range(2):
            assert (await emil.delete(f"/me/welcomes/{waiting['id']}")).status_code == 204
        assert (await emil.get("/me/welcomes")).json() == {"welcomes": []}

        assert (await maja_socket.ask(topic, "new_msg", encrypted_message("0:1"))).status == "ok"
        refused = (await maja_socket.ask(topic, "new_msg", encrypted_message("0:0"))).response
        assert refused == {
            "reason": "epoch_changed",
            "details": {"generation": 0, "epoch": 1, "needs_commit": False},
        }

        second = await emil.post(f"{group}/mls/commits", json=commit_json(model.commit(b)))
        assert (second.status_code, second.json()) == (201, {"generation": 0, "epoch": 2})
        lost = await maja.post(f"{group}/mls/commits", json=commit_json(model.commit(a)))
        assert (lost.status_code, lost.json()["code"], lost.json()["epoch"]) == (409, "epoch_changed", 2)
        log = (await maja.get(f"{group}/mls/commits", params={"generation": 0, "after_epoch": 1})).json()["commits"]
        assert [(each["epoch"], each["user_id"], each["since_seq"]) for each in log] == [(2, home.emil.user_id, 1)]
        after = (await maja.get(f"{group}/mls")).json()
        assert (after["epoch"], after["since_seq"], after["stale_leaves"], after["missing_devices"]) == (2, 1, [], [])
        assert (await maja.get(group)).json()["mls"] == {"generation": 0, "epoch": 2}

    assert [each.devices for each in emitted if isinstance(each, MlsGroupCreated)] == [3]
    assert [each.adds for each in emitted if isinstance(each, CommitAccepted)] == [2, 0]
    assert [each.reason for each in emitted if isinstance(each, CommitRejected)] == ["epoch_changed"]


async def test_a_device_with_few_key_packages_left_is_told(required: RunningApp) -> None:
    home, group = required.home, f"/conversations/{required.talks.group}"
    async with (
        signed_device(required, home.maja) as (maja, _),
        signed_device(required, home.emil) as (_, emil),
        required.connect(home.emil) as socket,
    ):
        await socket.join(f"user:{home.emil.user_id}")
        await maja.post(f"{group}/mls/key-packages")
        told = (await socket.assert_broadcast(f"user:{home.emil.user_id}", "key_packages_low")).payload

    assert told == {"device_id": emil.device_id, "count": 1}


async def test_the_keys_of_a_user_are_for_people_who_share_a_conversation(required: RunningApp) -> None:
    home = required.home
    async with (
        signed_device(required, home.maja) as (maja, device),
        required.http(home.emil) as emil,
        required.http(home.ada) as ada,
    ):
        keys_of_maja = f"/users/{home.maja.user_id}/keys"
        seen = (await emil.get(keys_of_maja)).json()
        own = (await maja.get(keys_of_maja)).json()
        refused = [await ada.get(path) for path in (keys_of_maja, f"/users/{new_id()}/keys", "/users/x/keys")]

    assert seen == own
    [account], [listed] = seen["accounts"], seen["devices"]
    assert (account["version"], account["rotation_signature"]) == (1, None)
    assert (listed["device_id"], listed["signature_key"]) == (device.device_id, b64(device.signature_key))
    assert {each.json()["code"] for each in refused} == {"not_found"}


async def test_a_pending_device_is_listed_to_its_own_user_only(required: RunningApp) -> None:
    home = required.home
    device = MlsDevice(home.maja.user_id, home.maja.device_id)
    pending = {"signature_key": b64(device.signature_key), "hpke_key": b64(device.hpke_key)}
    async with required.http(home.maja) as maja, required.http(home.emil) as emil:
        assert (await maja.put("/me/keys", json=pending)).json() == {"account_version": None}
        path = f"/users/{home.maja.user_id}/keys"
        own, others = [(await http.get(path)).json()["devices"] for http in (maja, emil)]

    assert [each["certificate"] for each in own] == [None]
    assert others == []


async def test_there_are_no_commits_before_the_first_mls_group(required: RunningApp) -> None:
    group = f"/conversations/{required.talks.group}"
    async with signed_device(required, required.home.maja) as (maja, _):
        nothing = await maja.get(f"{group}/mls/commits", params={"generation": 0, "after_epoch": 0})

    assert nothing.json() == {"commits": []}
