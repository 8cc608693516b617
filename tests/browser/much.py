"""Inserts many messages at once into the data of a stopped demo, as one batch of the journal."""

import asyncio
from collections.abc import Sequence

import httpx
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.chat.journal.batch import write_batch
from famichat.chat.journal.entry import Entry, Stored
from famichat.chat.records.message import BODY_PURPOSE, body_aad
from famichat.cli.operator.opened_data import OpenedData, open_for_writing
from famichat.settings import load_settings
from famichat.storage.base import new_id
from tests.browser.household import Person, Server


async def say_much(demo: Server, username: str, bodies: Sequence[str]) -> list[str]:
    """Send many messages in the demo's direct conversation.

    Returns:
        the ids of the messages.
    """
    return await asyncio.to_thread(_say, demo, username, bodies)


async def answer(demo: Server, who: Person, message_id: str | None, body: str) -> None:
    """Send a message in that conversation as a signed-in user, such as a reply to any message of it."""
    path = f"/api/v1/conversations/{demo.reported['conversations']['direct']}/messages"
    token = await who.page.evaluate("JSON.parse(localStorage['famichat.session']).access_token")
    async with httpx.AsyncClient(base_url=demo.url, headers={"authorization": f"Bearer {token}"}, timeout=30) as http:
        (await http.post(path, json={"body": body, "reply_to": message_id})).raise_for_status()


def _say(demo: Server, username: str, bodies: Sequence[str]) -> list[str]:
    with open_for_writing(load_settings(data_dir=demo.data_dir)) as data:
        return asyncio.run(_store(data, demo, username, bodies))


async def _store(data: OpenedData, demo: Server, username: str, bodies: Sequence[str]) -> list[str]:
    user_id = demo.user(username)["id"]

    def device(session: Session) -> str:
        return add_device(session, user_id, "Another phone").id

    device_id = await data.database.transaction(device)

    def entry(body: str) -> Entry:
        id_ = new_id()
        return Entry(
            id=id_,
            conversation_id=demo.reported["conversations"]["direct"],
            conversation_type="direct",
            user_id=user_id,
            device_id=device_id,
            message_type="text",
            body=data.vault.seal(BODY_PURPOSE, body.encode(), body_aad(id_, 0)),
            client_id=None,
            fingerprint=None,
            reply_to_id=None,
            encryption_flag=False,
            encryption_version=None,
            key_id=None,
        )

    outcomes = await write_batch(data.database, [entry(body) for body in bodies])
    return [outcome.id for outcome in outcomes if isinstance(outcome, Stored)]
