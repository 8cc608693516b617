"""Races between messages, commits and removals, on both databases."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.device import revoke_device
from famichat.chat.errors import EpochChanged, NotFound
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.send import Draft, Sender, SendPath
from famichat.chat.mls.commit import CommitResult
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.message import Message
from famichat.storage.database import Database
from tests.factories.people import INDEX, VAULT, Person
from tests.support.encrypted import OPTIONAL, Encrypted
from tests.support.mls import encrypted_message

MESSAGES = 20


@pytest.fixture
async def send_path(database: Database) -> AsyncIterator[SendPath]:
    journal = Journal(database)
    yield SendPath(journal, VAULT, INDEX, OPTIONAL)
    await journal.close()


async def sent(send_path: SendPath, encrypted: Encrypted, who: Person, key_id: str) -> bool:
    """Send a message in an epoch; return whether it was stored."""
    draft = Draft.parse(encrypted_message(key_id))
    sender = Sender(who.user_id, who.device_id)
    try:
        await send_path.send(sender, None, encrypted.conversation_id, draft, lambda _sent, _view: None)
    except (EpochChanged, NotFound):
        return False
    return True


async def test_no_message_is_stored_after_a_removal_that_a_former_member_could_read(
    encrypted: Encrypted, send_path: SendPath
) -> None:
    home, conversation_id = encrypted.home, encrypted.conversation_id

    def remove(session: Session) -> int:
        """Remove Emil; return the position of the last message that he may read."""
        remove_from_group(session, home.maja.user_id, conversation_id, home.emil.user_id)
        return session.get_one(Conversation, conversation_id).last_seq

    async def talk(who: Person) -> list[bool]:
        return [await sent(send_path, encrypted, who, "0:1") for _ in range(MESSAGES)]

    assert await sent(send_path, encrypted, home.maja, "0:1")
    last, *answers = await asyncio.gather(
        asyncio.to_thread(encrypted.run, remove), talk(home.maja), talk(home.inga), talk(home.emil)
    )

    positions = select(Message.seq).where(Message.conversation_id == conversation_id)
    stored = encrypted.run(lambda session: session.execute(positions).scalars().all())
    assert max(stored) <= last
    assert len(stored) == 1 + sum(sum(each) for each in answers)
    assert not await sent(send_path, encrypted, home.maja, "0:1")


async def test_after_a_revocation_and_the_external_commit_of_the_same_device_nothing_is_stored_for_it(
    encrypted: Encrypted, send_path: SendPath
) -> None:
    person, tablet = encrypted.another_device(encrypted.home.emil)
    request = encrypted.model.commit(tablet, external=True)

    committed, _ = await asyncio.gather(
        asyncio.to_thread(encrypted.send, person, request),
        asyncio.to_thread(encrypted.run, revoke_device, person.user_id, person.device_id),
        return_exceptions=True,
    )

    assert isinstance(committed, CommitResult | NotFound)
    has_leaf = tablet.device_id in encrypted.leaves().values()
    assert has_leaf == isinstance(committed, CommitResult) == encrypted.needs_commit()
    for key_id in ("0:1", "0:2"):
        is_current = key_id == "0:1" and not has_leaf
        assert await sent(send_path, encrypted, encrypted.home.maja, key_id) == is_current
