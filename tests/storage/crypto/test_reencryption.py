"""Re-encryption with a new key loses and overwrites no data, and can be interrupted anywhere."""

import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

import famichat.app.server  # noqa: F401 - imports every model
from famichat.accounts.user import User, email_of
from famichat.chat.messages.reaction import ReactionRequest
from famichat.chat.messages.view import body_of
from famichat.chat.records.message import BODY_PURPOSE, Message, body_aad
from famichat.chat.records.message_edit import MessageEdit
from famichat.e2ee.envelope import Envelope
from famichat.push.subscription import PushSubscription, Subscription, opened, subscribe
from famichat.storage.crypto.reencryption import Walk, finish, write
from famichat.storage.crypto.sealed_columns import sealed_columns
from famichat.storage.crypto.vault import Vault
from famichat.storage.crypto.vault_keys import sealing_key, settle
from famichat.storage.database import Database
from tests.factories.people import INDEX, VAULT, Household
from tests.factories.talk import direct_of, say

KEYS = {**VAULT.keys, 2: secrets.token_bytes(32)}
EVERYTHING = 248 + 1 + 1 + 5 + 1
"""Messages, a former version of one, a reaction, addresses, and a device that rings."""

SUBSCRIPTION = Subscription("https://push.example.org/a", "p256dh", "auth")


@pytest.fixture
def rotated(database: Database, household: Household) -> Vault:
    """A vault with a new key, over a household with 250 messages, two of them strange, and a device that rings."""
    direct = database.run(lambda session: direct_of(session, household))
    database.run(lambda session: say(session, direct, household.maja, *(f"no. {n}" for n in range(248))))
    ciphertext = {"encryption_flag": True, "encryption_version": "1", "key_id": "k", "body": b"\x01\x00\x01 of theirs"}
    database.run(lambda session: say(session, direct, household.emil, "", **ciphertext))
    database.run(lambda session: say(session, direct, household.emil, "", body=b"\x01\x00\x01damaged"))
    database.run(lambda session: change_the_first(session, household))
    device = household.maja.device_id
    database.run(lambda session: subscribe(session, device, SUBSCRIPTION, VAULT, INDEX))
    vault = Vault(KEYS)
    vault.seal_with(database.run(lambda session: settle(session, KEYS, use_newest=True)))
    return vault


def change_the_first(session: Session, household: Household) -> None:
    """Edit Maja's first message, and add a heart reaction by Emil."""
    message = session.execute(select(Message).where(Message.seq == 1)).scalar_one()
    session.add(MessageEdit.of(message, message.body or b""))
    session.add(ReactionRequest("❤", Envelope()).to_row(message.id, household.emil.user_id, VAULT))
    message.edits = 1
    message.body = VAULT.seal(BODY_PURPOSE, b"no. 0", body_aad(message.id, 1))


def go_on(database: Database, walk: Walk, steps: int = 1000) -> None:
    while steps and not walk.is_clean:
        found = database.run_read(walk.look)
        walk.advance(found, database.run(partial(write, found)))
        steps -= 1


def changed_at(session: Session) -> list[datetime]:
    return list(session.execute(select(User.updated_at).order_by(User.id)).scalars())


def by_version(database: Database) -> dict[str, dict[int, int]]:
    return database.run_read(lambda session: {str(each): each.count_by_version(session) for each in sealed_columns()})


def test_every_sealed_value_is_reencrypted_with_the_new_key(database: Database, rotated: Vault) -> None:
    walk, newest, before = Walk(rotated), Vault({2: KEYS[2]}), database.run_read(changed_at)
    go_on(database, walk)
    users = database.run_read(lambda session: session.execute(select(User)).scalars().all())
    messages = database.run_read(lambda session: session.execute(select(Message).order_by(Message.seq)).scalars().all())
    ringing = database.run_read(lambda session: session.execute(select(PushSubscription)).scalar_one())

    assert (walk.resealed, walk.unopened) == (EVERYTHING, 1)
    assert {email_of(user, newest) for user in users} > {"maja@example.org", "ada@example.org"}
    assert opened(ringing, newest) == SUBSCRIPTION
    for number, message in enumerate(messages[:248]):
        assert body_of(message, newest) == f"no. {number}"
    assert [message.body for message in messages[248:]] == [b"\x01\x00\x01 of theirs", b"\x01\x00\x01damaged"]
    assert database.run_read(changed_at) == before, "nobody has changed anything"
    assert by_version(database) == {
        "accounts_pictures.sealed": {},
        "accounts_users.email": {2: 5},
        "attachments.sealed": {},
        "message_edits.body": {2: 1},
        "message_reactions.emoji": {2: 1},
        "messages.body": {1: 1, 2: 248},
        "push_subscriptions.sealed": {2: 1},
    }


def test_an_interrupted_reencryption_resumes(database: Database, rotated: Vault) -> None:
    first, second = Walk(rotated), Walk(rotated)
    go_on(database, first, steps=2)
    between = by_version(database)["messages.body"]
    go_on(database, second)

    assert 0 < between[2] < 248
    assert first.resealed + second.resealed == EVERYTHING
    assert by_version(database)["messages.body"] == {1: 1, 2: 248}


def test_concurrent_changes_are_not_overwritten(database: Database, rotated: Vault) -> None:
    walk = Walk(rotated)
    edited = database.run_read(lambda session: session.execute(select(Message.id).where(Message.seq == 9)).scalar_one())
    seen: list[Any] = []
    while not any(change.key == (edited,) for each in seen for change in each.changes):
        seen.append(database.run_read(walk.look))
        if not any(change.key == (edited,) for change in seen[-1].changes):
            walk.advance(seen[-1], database.run(partial(write, seen[-1])))
    theirs = VAULT.seal(BODY_PURPOSE, b"edited", edited)
    database.run(lambda session: session.execute(update(Message).where(Message.id == edited).values(body=theirs)))
    written = database.run(partial(write, seen[-1]))
    kept = database.run_read(lambda session: session.get_one(Message, edited).body)

    assert written == len(seen[-1].changes) - 1
    assert kept == theirs
    walk.advance(seen[-1], written)
    go_on(database, walk)
    left = database.run_read(lambda session: session.get_one(Message, edited).body)
    assert Vault({2: KEYS[2]}).open(BODY_PURPOSE, left or b"", edited) == b"edited", "the next walk finds it"


def test_it_is_not_finished_while_an_older_write_may_be_pending(database: Database, rotated: Vault) -> None:
    assert not database.run(lambda session: finish(session, timedelta(seconds=60)))
    assert database.run_read(sealing_key).resealed_at is None

    assert database.run(lambda session: finish(session, timedelta(0)))
    assert database.run_read(sealing_key).resealed_at is not None
