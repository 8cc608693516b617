"""What devices read of an MLS group, on both databases."""

from datetime import timedelta

import pytest

from famichat.chat.errors import CommitsExpired, NotFound
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.mls import state
from famichat.chat.mls.state import (
    commits_after,
    confirm_welcome,
    epochs_of,
    group_state,
    require_shared_conversation,
    welcomes_for,
)
from famichat.chat.records.mls import MlsWelcome, delete_old_commits
from famichat.storage.base import new_id
from tests.support.clock import Clock
from tests.support.encrypted import Encrypted
from tests.support.services import identity


def commit_times(encrypted: Encrypted, number: int) -> None:
    for _ in range(number):
        encrypted.send(encrypted.home.maja, encrypted.model.commit(encrypted["maja"]))
        encrypted.model.advance()


def epochs_after(encrypted: Encrypted, epoch: int, generation: int = 0) -> list[int]:
    actor = identity(encrypted.home.emil)
    commits = encrypted.run(commits_after, actor, encrypted.conversation_id, generation, epoch)
    return [each.epoch for each in commits]


def test_commits_are_listed_from_the_epoch_of_the_device(encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_times(encrypted, 3)

    assert epochs_after(encrypted, 0) == [0, 1, 2, 3]
    assert epochs_after(encrypted, 2) == [2, 3]
    assert epochs_after(encrypted, 4) == []
    assert epochs_after(encrypted, 0, generation=1) == []
    monkeypatch.setattr(state, "MAX_PAGE_BYTES", 1)
    assert epochs_after(encrypted, 2) == [2]
    monkeypatch.setattr(state, "MAX_PAGE", 2)
    monkeypatch.setattr(state, "MAX_PAGE_BYTES", 2**20)
    assert epochs_after(encrypted, 0) == [0, 1]
    with pytest.raises(NotFound):
        encrypted.run(commits_after, identity(encrypted.home.nils), encrypted.conversation_id, 0, 0)


def test_a_device_that_was_away_for_three_months_joins_anew(encrypted: Encrypted, clock: Clock) -> None:
    commit_times(encrypted, 1)
    clock.jump(timedelta(days=91))
    encrypted.run(delete_old_commits)

    for epoch in (0, 1):
        with pytest.raises(CommitsExpired):
            epochs_after(encrypted, epoch)
    commit_times(encrypted, 1)
    with pytest.raises(CommitsExpired):
        epochs_after(encrypted, 1)
    assert epochs_after(encrypted, 2) == [2]
    assert encrypted.run(welcomes_for, encrypted["emil"].device_id) == []


def test_a_welcome_is_kept_until_all_its_devices_have_confirmed_it(encrypted: Encrypted) -> None:
    emil, inga = encrypted["emil"].device_id, encrypted["inga"].device_id
    [welcome] = encrypted.run(welcomes_for, emil)

    assert (welcome.conversation_id, welcome.generation, welcome.epoch) == (encrypted.conversation_id, 0, 1)
    assert encrypted.run(welcomes_for, encrypted["maja"].device_id) == []
    encrypted.run(confirm_welcome, emil, welcome.id)
    encrypted.run(confirm_welcome, emil, welcome.id)
    encrypted.run(confirm_welcome, emil, "nonsense")
    assert (encrypted.run(welcomes_for, emil), len(encrypted.run(welcomes_for, inga))) == ([], 1)
    encrypted.run(confirm_welcome, inga, welcome.id)

    assert encrypted.run(lambda session: session.get(MlsWelcome, welcome.id)) is None


def test_the_state_names_the_leaves_to_remove_and_the_devices_to_add(encrypted: Encrypted) -> None:
    home, conversation_id = encrypted.home, encrypted.conversation_id
    tablet, _ = encrypted.another_device(home.maja)
    encrypted.run(remove_from_group, home.maja.user_id, conversation_id, home.inga.user_id)

    found = encrypted.run(group_state, identity(home.emil), conversation_id)

    assert found.group.epoch == 1
    assert (found.waiting_for, found.stale_leaves) == ([], [2])
    assert [each.device_id for each in found.missing_devices] == [tablet.device_id]
    with pytest.raises(NotFound):
        encrypted.run(group_state, identity(home.inga), conversation_id)


def test_only_an_encrypted_conversation_has_an_epoch(encrypted: Encrypted) -> None:
    found = encrypted.run(epochs_of, [encrypted.conversation_id, new_id()])

    assert found == {encrypted.conversation_id: {"generation": 0, "epoch": 1}}


def test_keys_are_for_people_with_a_common_conversation(encrypted: Encrypted) -> None:
    home = encrypted.home

    encrypted.run(require_shared_conversation, home.maja.user_id, home.emil.user_id)
    encrypted.run(require_shared_conversation, home.ada.user_id, home.ada.user_id)
    for user_id, other_id in ((home.maja.user_id, home.ada.user_id), (home.maja.user_id, "nonsense")):
        with pytest.raises(NotFound):
            encrypted.run(require_shared_conversation, user_id, other_id)
