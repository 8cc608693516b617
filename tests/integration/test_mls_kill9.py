"""A server that is killed between the transaction of a commit and its broadcast."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Tokens
from famichat.chat.conversations.create import create_direct_conversation
from famichat.chat.records.conversation import Conversation
from famichat.e2ee.key_package import claim_key_packages
from famichat.storage.database import Database
from tests.factories.people import INDEX, SECRET, Household, Person, household
from tests.support.channel_client import ChannelClient
from tests.support.mls import MlsDevice, MlsGroupModel, b64, commit_json, encrypted_message, published
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS


def move_in(session: Session) -> tuple[Household, str, MlsDevice, MlsDevice, bytes]:
    """Create an encrypted conversation of Maja and Emil; return a key package of Emil's."""
    home = household(session)
    talk = create_direct_conversation(session, home.maja.user_id, home.emil.user_id, blind_index=INDEX).conversation
    session.get_one(Conversation, talk.id).encryption_required = True
    maja, emil = published(session, home.maja), published(session, home.emil)
    package = claim_key_packages(session, talk.id, [emil.device_id])[emil.device_id].body
    return home, talk.id, maja, emil, package


async def test_an_epoch_whose_announcement_was_lost_is_found_by_its_members(tmp_path: Path, database_url: str) -> None:
    database = Database(database_url)
    home, talk, maja, emil, package = database.run(move_in)
    database.close()
    creation = MlsGroupModel(maja).commit(maja, add=[(emil, package)])
    killed = ("tests.support.killed_before_broadcast",)
    path, topic = f"/api/v1/conversations/{talk}/mls", f"message:direct:{talk}"

    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS, program=killed) as server:

        def http(who: Person) -> httpx.AsyncClient:
            return httpx.AsyncClient(base_url=server.url, headers=bearer(who), trust_env=False, timeout=30)

        async with http(home.maja) as client:
            with pytest.raises(httpx.TransportError):
                await client.post(path, json=commit_json(creation))
        await server.died()
        server.program = ("famichat", "serve")
        await server.start()

        async with (
            http(home.maja) as sender,
            http(home.emil) as receiver,
            ChannelClient.connect(server.socket_url.removesuffix("/websocket"), token(home.emil)) as socket,
        ):
            assert (await socket.join(topic))["conversation"]["mls"] == {"generation": 0, "epoch": 1}
            page = (await receiver.get(f"{path}/commits", params={"generation": 0, "after_epoch": 0})).json()
            assert [each["commit"] for each in page["commits"]] == [b64(creation.commit)]
            assert len((await receiver.get("/api/v1/me/welcomes")).json()["welcomes"]) == 1
            again = await sender.post(path, json=commit_json(creation))
            assert (again.status_code, again.json()) == (201, {"generation": 0, "epoch": 1})
            assert (await socket.ask(topic, "new_msg", encrypted_message("0:1"))).status == "ok"


def token(who: Person) -> str:
    return Tokens(SECRET).issue(who.user_id, who.device_id)


def bearer(who: Person) -> dict[str, str]:
    return {"authorization": f"Bearer {token(who)}"}
