"""The demo's users, conversations and messages.

They are saved in `demo.json` beside the database, so that a second start has the same users and passwords.
"""

import asyncio
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.accounts.sign_in.password import hash_password
from famichat.accounts.user import Newcomer, register
from famichat.chat.conversations.create import (
    CreatedConversation,
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import EncryptionRequired
from famichat.chat.families.family import create_family, needs_setup
from famichat.chat.families.membership import add_member
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.send import Draft, Sender, SendPath
from famichat.chat.records.conversation import CONVERSATION_TYPES, ConversationType
from famichat.cli.operator.opened_data import OpenedData
from famichat.cli.refusal import Refused
from famichat.storage.base import now

# The members of each family; the first is its admin.
HOUSEHOLDS = {
    "Sundqvist": {"maja": "the family's admin", "emil": "a member", "inga": "the grandmother", "nils": "the child"},
    "Okafor": {"ada": "who belongs to another family"},
}
GROUP = "Summer house"
ENCRYPTED_GROUP = "Surprise for Maja"
UNUSED_FOR = timedelta(days=60)
_TALK: dict[ConversationType, tuple[tuple[str, str], ...]] = {
    "self": (
        ("maja", "Dentist on Thursday, 15:20, Nils"),
        ("maja", "Ask Inga for the cardamom bun recipe"),
    ),
    "direct": (
        ("maja", "Can you fetch Nils today? My meeting runs late."),
        ("emil", "Of course. We'll pass by the shop, do we need anything?"),
        ("maja", "Milk, and something green 🥦"),
    ),
    "group": (
        ("emil", "The ferry at ten or at noon?"),
        ("inga", "At noon, please. I am baking in the morning."),
        ("maja", "Noon it is."),
    ),
    "family": (
        ("inga", "The first buns are out of the oven. Who comes on Sunday?"),
        ("nils", "me!! 🙋"),
        ("emil", "All three of us. Two o'clock?"),
        ("inga", "Two o'clock. Nils, you may put the sugar on."),
    ),
}
_WORDS = (
    "amber apple birch bridge candle cedar clover cloud copper cotton daisy ember fern field forest garden ginger "
    "hazel harbor honey island ivory lake lantern lemon linen maple marble meadow mint moss oak ocean olive orchard "
    "paper pebble pepper pine plum poppy quiet raven river saffron sail sand silver sparrow stone summer thistle "
    "thunder timber tulip velvet violet walnut water willow winter"
)


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A demo user, with the password in plain text."""

    id: str
    username: str
    password: str
    family_ids: list[str]


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo's users: the admin first, the outsider last. The conversations are the admin's.

    Attributes:
        viewer_device_id: the admin's device on which the event viewer is signed in.
        encrypted_group: a group of other users that accepts only end-to-end encrypted messages; empty in the data of a
            demo that was created without one.
    """

    families: list[dict[str, str]]
    users: list[DemoUser]
    conversations: dict[str, str]
    viewer_device_id: str
    encrypted_group: str = ""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the result of `to_json`."""
        stored = json.loads(text)
        return cls(**{**stored, "users": [DemoUser(**each) for each in stored["users"]]})

    def to_json(self) -> str:
        """Serialize the demo for its file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def view(self, url: str) -> dict[str, Any]:
        """Return what `--json` prints."""
        result = {"url": url, **asdict(self)}
        del result["viewer_device_id"]
        return result


def load_or_create_demo(data: OpenedData, file: Path) -> Demo:
    """Load the demo from its file; create its users and messages if the file does not exist.

    Args:
        data: the opened data of the demo server.
        file: the path of `demo.json`.

    Raises:
        Refused: the directory contains the data of a real server.
    """
    if file.is_file():
        return Demo.from_json(file.read_text(encoding="utf-8"))
    if not data.database.run_read(needs_setup):
        raise Refused("not_a_demo", f"{file.parent} contains the data of a real server; choose another directory")
    demo = asyncio.run(_create(data))
    draft = file.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(demo.to_json(), encoding="utf-8")
    draft.replace(file)
    return demo


async def _create(data: OpenedData) -> Demo:
    passwords = {name: _password() for names in HOUSEHOLDS.values() for name in names}
    hashes = {name: await hash_password(password, name) for name, password in passwords.items()}

    def work(session: Session) -> tuple[Demo, dict[str, Sender]]:
        senders = {name: _person(session, data, name, password_hash) for name, password_hash in hashes.items()}
        families = {name: _family(session, name, senders) for name in HOUSEHOLDS}
        users = [
            DemoUser(senders[name].user_id, name, passwords[name], [families[family]])
            for family, names in HOUSEHOLDS.items()
            for name in names
        ]
        viewer = add_device(session, users[0].id, "Live event viewer").id
        listed = [{"id": id_, "name": name} for name, id_ in families.items()]
        conversations = _conversations(session, data, users)
        return Demo(listed, users, conversations, viewer, _encrypted_group(session, users)), senders

    demo, senders = await data.database.transaction(work)
    await _send_messages(data, demo, senders)
    return demo


def _encrypted_group(session: Session, users: list[DemoUser]) -> str:
    """Create a group that is encrypted as soon as two of its members open it. The admin is not in it."""
    _, emil, inga, nils, *_ = (user.id for user in users)
    created = create_group_conversation(session, emil, ENCRYPTED_GROUP, [inga, nils], encryption_required=True)
    return created.conversation.id


def _person(session: Session, data: OpenedData, name: str, password_hash: str) -> Sender:
    newcomer = Newcomer.parse(name, f"{name}@demo.invalid")
    user = register(session, newcomer, password_hash, data.vault, data.index)
    phone = add_device(session, user.id, f"{name.title()}'s phone")
    # Recently used devices without keys would delay the encryption of a conversation, and these are never used again.
    phone.last_seen_at = now() - UNUSED_FOR
    return Sender(user.id, phone.id)


def _family(session: Session, name: str, people: dict[str, Sender]) -> str:
    admin, *others = HOUSEHOLDS[name]
    family = create_family(session, name, people[admin].user_id)
    for other in others:
        add_member(session, family.id, people[other].user_id, "member")
    return family.id


def _conversations(session: Session, data: OpenedData, users: list[DemoUser]) -> dict[str, str]:
    maja, emil, inga, *_ = (user.id for user in users)
    required = {kind: data.settings.encryption_policies[kind] == "required" for kind in CONVERSATION_TYPES}
    created: dict[str, CreatedConversation] = {
        "self": create_self_conversation(session, maja, encryption_required=required["self"]),
        "direct": create_direct_conversation(
            session, maja, emil, blind_index=data.index, encryption_required=required["direct"]
        ),
        "group": create_group_conversation(session, maja, GROUP, [emil, inga], encryption_required=required["group"]),
        "family": create_family_conversation(session, maja, encryption_required=required["family"]),
    }
    return {kind: each.conversation.id for kind, each in created.items()}


async def _send_messages(data: OpenedData, demo: Demo, senders: dict[str, Sender]) -> None:
    journal = Journal(data.database)
    path = SendPath(journal, data.vault, data.index, EncryptionPolicies(data.settings.encryption_policies))
    try:
        for kind, lines in _TALK.items():
            for name, body in lines:
                draft = Draft.parse({"body": body})
                await path.send(senders[name], kind, demo.conversations[kind], draft, lambda *_: None)
    except EncryptionRequired:
        pass  # the demo has no end-to-end keys, so it sends no messages if the encryption policy requires them
    finally:
        await journal.close()


def _password() -> str:
    return "-".join(secrets.choice(_WORDS.split()) for _ in range(4))
