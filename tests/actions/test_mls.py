"""Concurrent commits, and their announcements."""

import asyncio
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.actions import mls as actions
from famichat.chat.errors import EpochChanged, NotFound
from famichat.chat.mls.commit import CommitResult
from famichat.chat.records.conversation import Conversation
from tests.factories.people import Person
from tests.support.mls import MlsAccount, MlsDevice, MlsGroupModel, b64, published
from tests.support.services import RunningServices, identity


def two_devices(running: RunningServices, session: Session) -> list[tuple[Person, MlsDevice]]:
    """Two signed devices of Maja, whose notes to self must be encrypted."""
    session.get_one(Conversation, running.talks.self).encryption_required = True
    maja, account = running.home.maja, MlsAccount(running.home.maja.user_id)
    tablet = replace(maja, device_id=add_device(session, maja.user_id, "tablet").id)
    return [(who, published(session, who, account=account)) for who in (maja, tablet)]


async def test_of_concurrent_commits_one_is_accepted_and_announced(running: RunningServices) -> None:
    services, notes = running.services, running.talks.self
    (maja, phone), (person, tablet) = await services.write(lambda session: two_devices(running, session))
    model = MlsGroupModel(phone)
    [package] = await actions.claim_packages(services, identity(maja), notes, for_new_group=True)
    creation = model.commit(phone, add=[(tablet, package.body)])
    created = await asyncio.gather(*(actions.create_group(services, identity(maja), notes, creation) for _ in range(5)))
    model.advance()
    senders = [(maja, phone), (person, tablet)] * 25

    results = await asyncio.gather(
        *(actions.commit(services, identity(who), notes, model.commit(device)) for who, device in senders),
        return_exceptions=True,
    )

    assert sorted(each.repeat for each in created) == [False, True, True, True, True]
    assert [each.epoch for each in results if isinstance(each, CommitResult)] == [2]
    assert sum(isinstance(each, EpochChanged) for each in results) == 49
    announced = [
        note["payload"]["epoch"]
        for kind, note in running.published
        if kind == "broadcast" and note["event"] == "epoch_changed"
    ]
    assert announced == [1, 2]
    assert running.events(maja.user_id).count("welcome") == 1


async def test_other_nodes_are_told_of_an_epoch_without_its_commit(running: RunningServices) -> None:
    services, notes, announced = running.services, running.talks.self, list[Any]()
    [(maja, phone), (_, tablet)] = await services.write(lambda session: two_devices(running, session))
    [package] = await actions.claim_packages(services, identity(maja), notes, for_new_group=True)
    creation = MlsGroupModel(phone).commit(phone, add=[(tablet, package.body)])

    def broadcast(_topic: str, event: str, payload: Any, announce: Any = None, **_: Any) -> None:
        if event == "epoch_changed":
            announced.append((payload, announce))

    with patch.object(services.pubsub, "broadcast", broadcast):
        await actions.create_group(services, identity(maja), notes, creation)

    [(payload, (kind, note, _))] = announced
    assert (kind, note["event"], note["topic"]) == ("broadcast", "epoch_changed", f"message:self:{notes}")
    assert payload["commit"] == b64(creation.commit)
    assert note["payload"] == {**payload, "commit": None}


async def test_an_outsider_gets_no_key_packages(running: RunningServices) -> None:
    for conversation_id in (running.talks.group, "nonsense"):
        with pytest.raises(NotFound):
            await actions.claim_packages(
                running.services, identity(running.home.ada), conversation_id, for_new_group=False
            )
