"""Says a great deal in no time: into the data of a demo that is stopped, through its journal."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.send_path import Draft, Sender, SendPath
from famichat.cli.desk import Desk, to_write
from famichat.settings import load_settings
from famichat.storage.journal import Journal
from tests.browser.household import Server

_AT_ONCE: Final = 2_000


async def say_much(demo: Server, username: str, bodies: Sequence[str]) -> None:
    """Let somebody have said many things in the demo's direct conversation."""
    await asyncio.to_thread(_say, demo, username, bodies)


def _say(demo: Server, username: str, bodies: Sequence[str]) -> None:
    with to_write(load_settings(data_dir=demo.data_dir)) as desk:
        asyncio.run(_send(desk, demo, username, bodies))


async def _send(desk: Desk, demo: Server, username: str, bodies: Sequence[str]) -> None:
    user_id = demo.user(username)["id"]

    def device(session: Session) -> str:
        return add_device(session, user_id, "Another phone").id

    sender = Sender(user_id, await desk.database.transaction(device))
    journal = Journal(desk.database)
    path = SendPath(journal, desk.vault, desk.index, EncryptionPolicies(desk.settings.encryption_policies))
    where = demo.told["conversations"]["direct"]
    for start in range(0, len(bodies), _AT_ONCE):
        some = bodies[start : start + _AT_ONCE]
        sending = [path.send(sender, "direct", where, Draft.parse({"body": body}), lambda _view: None) for body in some]
        await asyncio.gather(*sending)
    await journal.close()
