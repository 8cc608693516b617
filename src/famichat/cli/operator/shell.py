"""`famichat shell`: a Python shell with the database, the keys and the functions of the chat."""

import asyncio
import code
import getpass
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device, add_device
from famichat.accounts.user import User
from famichat.chat.conversations import create
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.send import Draft, Sender, SendPath
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import Family, FamilyMembership
from famichat.chat.records.message import Message
from famichat.cli.operator.opened_data import OpenedData, open_for_writing, open_readonly
from famichat.cli.options import data_dir_option
from famichat.client import Client, sign_in
from famichat.settings import load_settings
from famichat.storage.data_dir import DirectoryInUse

_DEVICE = "Famichat shell"


@click.command()
@data_dir_option
def shell(data_dir: Path | None) -> None:
    """Open a Python shell with Famichat loaded. On SQLite, it changes a running server only as a signed-in user."""
    settings = load_settings(data_dir=data_dir)
    with ExitStack() as stack:
        try:
            data, writable = stack.enter_context(open_for_writing(settings)), True
        except DirectoryInUse:
            data, writable = stack.enter_context(open_readonly(data_dir)), False
        _interact(data, writable=writable)


class DatabaseChat:
    """Creates conversations and sends messages in the database. A server that is running broadcasts none of it."""

    def __init__(self, data: OpenedData) -> None:
        self._data = data
        self._policies = EncryptionPolicies(data.settings.encryption_policies)

    def create_self_conversation(self, user_id: str) -> str:
        """Return the id of a user's notes to self, and create them if they do not exist."""
        return self._create(create.create_self_conversation, "self", user_id)

    def create_direct_conversation(self, user1_id: str, user2_id: str) -> str:
        """Return the id of the conversation of two members of a family, and create it if it does not exist."""
        return self._create(
            create.create_direct_conversation, "direct", user1_id, user2_id, blind_index=self._data.index
        )

    def create_group_conversation(self, creator_id: str, name: str, initial_member_ids: Sequence[str]) -> str:
        """Create a group and return its id. Its admin is the creator."""
        return self._create(create.create_group_conversation, "group", creator_id, name, initial_member_ids)

    def create_family_conversation(self, creator_id: str) -> str:
        """Return the id of the conversation of the user's family, and create it if it does not exist."""
        return self._create(create.create_family_conversation, "family", creator_id)

    def send_message(self, user_id: str, conversation_id: str, body: str) -> int:
        """Store a message of a user and return its `seq`."""
        return asyncio.run(self._send(user_id, conversation_id, body))

    def _create(self, function: Any, kind: str, *arguments: Any, **options: Any) -> str:
        def work(session: Session) -> str:
            required = self._policies.of(kind) == "required"
            created: create.CreatedConversation = function(session, *arguments, **options, encryption_required=required)
            return created.conversation.id

        return self._data.database.run(work)

    async def _send(self, user_id: str, conversation_id: str, body: str) -> int:
        author = await self._data.database.transaction(lambda session: _sender(session, user_id))
        journal = Journal(self._data.database)
        path = SendPath(journal, self._data.vault, self._data.index, self._policies)
        try:
            sent = await path.send(author, None, conversation_id, Draft.parse({"body": body}), lambda *_: None)
        finally:
            await journal.close()
        return sent.seq


class SignedInChat:
    """The functions of `DatabaseChat` for one user of a running server, which broadcasts their effects."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._session = asyncio.run(sign_in(url, username, password, device_name=_DEVICE))

    def create_self_conversation(self) -> str:
        """Return the id of the user's notes to self."""
        return self._create("self", {})

    def create_direct_conversation(self, user_id: str) -> str:
        """Return the id of the user's conversation with another user."""
        return self._create("direct", {"user_id": user_id})

    def create_group_conversation(self, name: str, initial_member_ids: Sequence[str]) -> str:
        """Create a group and return its id. Its admin is the user."""
        return self._create("group", {"name": name, "member_ids": list(initial_member_ids)})

    def create_family_conversation(self) -> str:
        """Return the id of the conversation of the user's family."""
        return self._create("family", {})

    def send_message(self, conversation_id: str, body: str) -> int:
        """Send a message, which broadcasts `new_msg` to the members, and return its `seq`."""

        async def send() -> int:
            async with Client(self._session) as client:
                seq: int = (await client.send(conversation_id, body))["seq"]
                return seq

        return asyncio.run(send())

    def _create(self, kind: str, body: dict[str, Any]) -> str:
        async def request() -> str:
            async with Client(self._session) as client:
                conversation_id: str = (await client.post(f"/conversations/{kind}", body))["id"]
                return conversation_id

        return asyncio.run(request())


def _sender(session: Session, user_id: str) -> Sender:
    own = select(Device.id).where(Device.user_id == user_id, Device.name == _DEVICE, Device.revoked_at.is_(None))
    return Sender(user_id, session.scalar(own) or add_device(session, user_id, _DEVICE).id)


def _interact(data: OpenedData, *, writable: bool) -> None:
    def sign_in_to_server(username: str, password: str | None = None, url: str | None = None) -> SignedInChat:
        """Sign in to the running server; asks for the password if it is not given."""
        address = url or data.settings.effective_public_url
        return SignedInChat(address, username, password or getpass.getpass())

    names = {
        "settings": data.settings,
        "vault": data.vault,
        "index": data.index,
        "read": data.database.run_read,
        "sign_in": sign_in_to_server,
        **({"write": data.database.run, "chat": DatabaseChat(data)} if writable else {}),
        **{record.__name__: record for record in (User, Device, Family, FamilyMembership, Conversation, Message)},
    }
    mode = "read(work) and write(work)" if writable else "only read(work), because Famichat is running"
    example = (
        "chat.create_direct_conversation(user1_id, user2_id) and chat.send_message(user_id, conversation_id, body)"
        if writable
        else "chat = sign_in(username); chat.send_message(conversation_id, body)"
    )
    banner = (
        f"Famichat shell. Use {mode}. work takes a session: read(lambda session: session.query(User).count())\n"
        f"Use {example}."
    )
    code.interact(f"{banner}\nAvailable: {', '.join(names)}", local=names, exitmsg="")
