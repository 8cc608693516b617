"""A server has no word of end-to-end encrypted messages, on disk, in its log or in its memory."""

import base64
import os
import secrets
import shutil
from pathlib import Path

import http_ece  # type: ignore[import-untyped] # has no annotations
import httpx
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Tokens
from famichat.chat.conversations.create import create_direct_conversation, create_self_conversation
from famichat.storage.database import Database
from tests.factories.people import INDEX, SECRET, Household, household
from tests.support.channel_client import ChannelClient
from tests.support.mls import MlsDevice, MlsGroupModel, commit_json, encrypted_message, published
from tests.support.plaintext_search import places_with
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, sqlite_in


def move_in(session: Session) -> tuple[Household, str, str, MlsDevice]:
    """Return Maja's notes, which must be encrypted, and her conversation with Emil."""
    home = household(session)
    notes = create_self_conversation(session, home.maja.user_id, encryption_required=True).conversation.id
    talk = create_direct_conversation(session, home.maja.user_id, home.emil.user_id, blind_index=INDEX).conversation.id
    return home, notes, talk, published(session, home.maja)


def encrypted(text: str) -> str:
    """The body of a message, in the format of RFC 8188."""
    body = http_ece.encrypt(text.encode(), key=os.urandom(16), version="aes128gcm")
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


async def test_only_the_plaintext_of_an_unencrypted_conversation_is_found_in_a_server(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    url = sqlite_in(tmp_path / "data")
    shutil.copy(migrated_sqlite, tmp_path / "data" / "famichat.db")
    database = Database(url)
    home, notes, talk, device = database.run(move_in)
    database.close()
    token = Tokens(SECRET).issue(home.maja.user_id, home.maja.device_id)
    secret, plain = (f"canary-{secrets.token_hex(8)}" for _ in range(2))

    async with FamichatServer(tmp_path / "data", settings=KEYS) as server:
        bearer = {"authorization": f"Bearer {token}"}
        async with (
            httpx.AsyncClient(base_url=server.url, headers=bearer, trust_env=False, timeout=30) as http,
            ChannelClient.connect(server.socket_url.removesuffix("/websocket"), token) as client,
        ):
            creation = commit_json(MlsGroupModel(device).commit(device))
            created = await http.post(f"/api/v1/conversations/{notes}/mls", json=creation)
            assert created.status_code == 201
            await client.join(f"message:self:{notes}")
            await client.join(f"message:direct:{talk}")
            body = encrypted(secret)
            message = {**encrypted_message("0:1"), "body": body}
            assert (await client.ask(f"message:self:{notes}", "new_msg", message)).status == "ok"
            assert (await client.ask(f"message:direct:{talk}", "new_msg", {"body": plain})).status == "ok"
            # Both conversations are in the reply, and in the memory of the server while it waits for the next request.
            assert plain in (await http.get("/api/v1/conversations")).text

            places = [tmp_path / "data", server.log]
            assert places_with(plain, places, server.pid) == ["memory"]
            assert places_with(secret, places, server.pid) == []
            assert body.encode() in (tmp_path / "data" / "famichat.db-wal").read_bytes()
