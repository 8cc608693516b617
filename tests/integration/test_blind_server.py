"""A server has no word of end-to-end encrypted messages: on disk, in its log and memory, and in its output."""

import base64
import os
import secrets
import shutil
from pathlib import Path

import http_ece  # type: ignore[import-untyped] # has no annotations
import httpx
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Tokens
from famichat.chat.conversations.create import create_direct_conversation, create_family_conversation
from famichat.storage.database import Database
from tests.factories.people import INDEX, SECRET, Household, household
from tests.support.channel_client import ChannelClient
from tests.support.mls import MlsDevice, MlsGroupModel, commit_json, encrypted_message, published
from tests.support.otlp import collector
from tests.support.plaintext_search import places_with
from tests.support.program import famichat
from tests.support.push_service import push_service
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, sqlite_in


def move_in(session: Session) -> tuple[Household, str, str, list[MlsDevice]]:
    """Return Maja's conversation with Emil, which must be encrypted, and the family's, which need not."""
    home = household(session)
    maja, emil = home.maja.user_id, home.emil.user_id
    direct = create_direct_conversation(session, maja, emil, blind_index=INDEX, encryption_required=True)
    family = create_family_conversation(session, maja)
    devices = [published(session, each) for each in (home.maja, home.emil)]
    return home, direct.conversation.id, family.conversation.id, devices


def encrypted(text: str) -> str:
    """The body of a message, in the format of RFC 8188."""
    body = http_ece.encrypt(text.encode(), key=os.urandom(16), version="aes128gcm")
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


async def test_only_the_plaintext_of_an_unencrypted_conversation_is_found_in_a_server_and_what_it_gives_out(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    data = tmp_path / "data"
    url = sqlite_in(data)
    shutil.copy(migrated_sqlite, data / "famichat.db")
    database = Database(url)
    home, direct, family, [device, other] = database.run(move_in)
    database.close()
    token, emils = (Tokens(SECRET).issue(each.user_id, each.device_id) for each in (home.maja, home.emil))
    secret, plain = (f"canary-{secrets.token_hex(8)}" for _ in range(2))
    body = encrypted(secret)

    with collector() as traces:
        settings = {**KEYS, "OTLP_ENDPOINT": traces.url, "PUSH_PRIVATE_ADDRESSES": "true", "LOG_LEVEL": "DEBUG"}
        program = ("tests.support.quick_notifications",)
        async with (
            push_service() as service,
            FamichatServer(data, program=program, settings=settings) as server,
            httpx.AsyncClient(base_url=f"{server.url}/api/v1", trust_env=False, timeout=30) as http,
            ChannelClient.connect(server.socket_url.removesuffix("/websocket"), token) as client,
        ):
            browser = service.browser("emil")
            of_emil = {"authorization": f"Bearer {emils}"}
            (await http.put("/me/push", json=browser.subscription(), headers=of_emil)).raise_for_status()
            (await http.patch("/me/push", json={"content": "full"}, headers=of_emil)).raise_for_status()
            http.headers["authorization"] = f"Bearer {token}"
            path = f"/conversations/{direct}/mls"
            [package] = (await http.post(f"{path}/key-packages", json={"new_group": True})).json()["key_packages"]
            added = base64.urlsafe_b64decode(package["key_package"] + "==")
            creation = commit_json(MlsGroupModel(device).commit(device, add=[(other, added)]))
            (await http.post(path, json=creation)).raise_for_status()
            await client.join(f"message:direct:{direct}")
            await client.join(f"message:family:{family}")
            message = {**encrypted_message("0:1"), "body": body}
            assert (await client.ask(f"message:direct:{direct}", "new_msg", message)).status == "ok"
            assert (await client.ask(f"message:family:{family}", "new_msg", {"body": plain})).status == "ok"
            await service.rung(2)
            notifications = str([browser.read(request) for _, _, request in service.requests])
            metrics = (await http.get(f"{server.url}/metrics")).text
            keys = {name.lower(): value for name, value in KEYS.items()}
            taken = famichat("backup", tmp_path / "backup.tar", data_dir=data, **keys)
            assert taken.returncode == 0, taken.stderr
            # Both conversations are in the reply, and in the memory of the server while it waits for the next request.
            assert plain in (await http.get("/conversations")).text

            places = [data, server.log, tmp_path / "backup.tar"]
            assert places_with(plain, places, server.pid) == ["memory"]
            assert places_with(secret, places, server.pid) == []
            assert body.encode() in (data / "famichat.db-wal").read_bytes()
            await server.stop()

    assert plain in notifications
    assert traces.named("famichat.message")
    assert "famichat_message_store_seconds" in metrics
    for given_out in (notifications, metrics, traces.text):
        assert secret not in given_out
        assert body not in given_out
