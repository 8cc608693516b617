"""Fills the data of a stopped Famichat: users in families, conversations, and histories."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from bench.generator import Talk
from bench.protocols.phoenix import Directory
from bench.servers.server import Population
from famichat.accounts.device import add_device
from famichat.accounts.sign_in.token import Identity, Tokens
from famichat.accounts.user import Newcomer, register
from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
)
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.families.family import create_family
from famichat.chat.families.membership import add_member
from famichat.chat.journal.batch import write_batch
from famichat.chat.journal.entry import Entry
from famichat.chat.mls.commit import create_mls_group
from famichat.chat.records.conversation import CONVERSATION_TYPES
from famichat.chat.records.message import BODY_PURPOSE, body_aad
from famichat.cli.operator.opened_data import OpenedData, open_for_writing
from famichat.settings import Settings
from famichat.storage.base import new_id
from tests.factories.people import PASSWORD_HASH, Person
from tests.support.mls import MlsGroupModel, published

FAMILY: Final = 200
FAMILY_TALK: Final = Talk("family", 0)
_BATCH: Final = 2_000
_OPTIONAL: Final = EncryptionPolicies(dict.fromkeys(CONVERSATION_TYPES, "optional"))
_TEXT: Final = "Dinner at six? Bring the big pot, and ask Inga whether she wants to be fetched. " * 2


class User(NamedTuple):
    """A user and their only device."""

    id: str
    device_id: str


def seed(settings: Settings, population: Population) -> Directory:
    """Create users in families of `FAMILY`, a direct conversation for each pair of them, and rooms.

    Args:
        settings: of the server, which is stopped.
        population: what to create; the rooms are groups of the first users.
    """
    with open_for_writing(settings) as data:
        users: list[User] = []
        topics: dict[Talk, str] = {}
        for first in range(0, population.users, FAMILY):
            numbers = range(first, min(population.users, first + FAMILY))
            family = _add_family(data, numbers)
            users += family
            topics |= _add_pairs(data, family, first // 2, population.encrypted)
        for members in population.rooms:
            topics[Talk("room", members)] = f"message:group:{_add_group(data, users[:members])}"
        tokens = Tokens(data.secret_key)
        tokens_of = [tokens.issue(*user) for user in users]
        return Directory(tokens_of, [user.id for user in users], topics, [user.device_id for user in users])


def seed_grown(
    settings: Settings, *, messages: int, conversations: int, members: int, per_conversation: int
) -> Directory:
    """Create one family with a history; its conversation is `FAMILY_TALK`, and the directory has only the first user.

    Args:
        settings: of the server, which is stopped.
        messages: in the family's conversation.
        conversations: of the first member, besides the family's: groups of three.
        members: of the family; at least 3.
        per_conversation: the number of messages in each group.
    """
    with open_for_writing(settings) as data:
        users = _add_family(data, range(members))
        family_id = data.database.run(lambda session: create_family_conversation(session, users[0].id).conversation.id)
        groups = [
            _add_group(data, [users[0], users[1 + n % (members - 1)], users[1 + (n + 1) % (members - 1)]])
            for n in range(conversations)
        ]
        asyncio.run(_write(data, family_id, "family", users[:10], messages))
        for group_id in groups:
            asyncio.run(_write(data, group_id, "group", users[:1], per_conversation))
        topics = {FAMILY_TALK: f"message:family:{family_id}"}
        first = users[0]
        return Directory([Tokens(data.secret_key).issue(*first)], [first.id], topics, [first.device_id])


def _add_family(data: OpenedData, numbers: Sequence[int]) -> list[User]:
    def create(session: Session) -> list[User]:
        users = [_add_user(session, data, number) for number in numbers]
        family = create_family(session, f"Family {numbers[0]}", users[0].id)
        for user in users[1:]:
            add_member(session, family.id, user.id, "member")
        return users

    return data.database.run(create)


def _add_user(session: Session, data: OpenedData, number: int) -> User:
    user = register(session, Newcomer.parse(f"user{number}", None), PASSWORD_HASH, data.vault, data.index)
    return User(user.id, add_device(session, user.id, "Phone").id)


def _add_pairs(data: OpenedData, users: Sequence[User], first: int, encrypted: Sequence[int]) -> dict[Talk, str]:
    def create(session: Session) -> Iterator[tuple[Talk, str]]:
        for number, (one, other) in enumerate(zip(users[::2], users[1::2], strict=False), first):
            created = create_direct_conversation(
                session, one.id, other.id, blind_index=data.index, encryption_required=number in encrypted
            )
            if number in encrypted:
                _encrypt(session, created.conversation.id, one, other)
            talk = Talk("encrypted" if number in encrypted else "pair", number)
            yield talk, f"message:direct:{created.conversation.id}"

    return data.database.run(lambda session: dict(create(session)))


def _encrypt(session: Session, conversation_id: str, one: User, other: User) -> None:
    """Create the MLS group of a pair, with the devices of both."""
    people = [Person(each.id, each.device_id, "") for each in (one, other)]
    device, added = (published(session, each) for each in people)
    request = MlsGroupModel(device).commit(device, add=[(added, added.key_package())])
    create_mls_group(session, Identity(one.id, one.device_id, ""), conversation_id, request, _OPTIONAL)


def _add_group(data: OpenedData, users: Sequence[User]) -> str:
    first, *others = (user.id for user in users)
    return data.database.run(
        lambda session: create_group_conversation(session, first, f"Room of {len(users)}", others).conversation.id
    )


async def _write(data: OpenedData, conversation_id: str, kind: str, senders: Sequence[User], count: int) -> None:
    for first in range(0, count, _BATCH):
        numbers = range(first, min(count, first + _BATCH))
        entries = [_entry(data, conversation_id, kind, senders[n % len(senders)], n) for n in numbers]
        await write_batch(data.database, entries)


def _entry(data: OpenedData, conversation_id: str, kind: str, sender: User, number: int) -> Entry:
    id_ = new_id()
    return Entry(
        id=id_,
        conversation_id=conversation_id,
        conversation_type=kind,
        user_id=sender.id,
        device_id=sender.device_id,
        message_type="text",
        body=data.vault.seal(BODY_PURPOSE, f"{_TEXT}{number}".encode(), body_aad(id_, 0)),
        client_id=None,
        fingerprint=None,
        reply_to_id=None,
        encryption_flag=False,
        encryption_version=None,
        key_id=None,
    )
