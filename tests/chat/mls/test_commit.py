"""Commits of MLS groups, on both databases."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from famichat.accounts.device import Device, add_device, revoke_device
from famichat.chat.conversations.create import create_self_conversation
from famichat.chat.errors import EncryptionNotReady, EpochChanged, InvalidCommit, NotFound
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.mls.commit import MAX_SKIPPED_GENERATIONS, CommitRequest, CommitResult
from famichat.chat.mls.roster import missing_devices, roster_of, stale_leaves
from famichat.chat.mls.state import welcomes_for
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.mls import MlsCommit, MlsGroup, MlsWelcomeDevice
from famichat.e2ee.device_keys import DeviceKeysRequest, publish_device_keys
from famichat.e2ee.key_package import StoredKeyPackage, claim_key_packages, publish_key_packages, unclaimed_key_packages
from famichat.storage.base import now
from famichat.storage.database import Database
from tests.factories.people import Household
from tests.factories.talk import direct_of
from tests.support import mls
from tests.support.clock import Clock
from tests.support.encrypted import OPTIONAL, Encrypted, set_up
from tests.support.mls import MlsDevice, MlsGroupModel, published
from tests.support.services import identity


def first_commit(prepared: Encrypted) -> CommitRequest:
    return prepared.model.commit(
        prepared["maja"], add=[prepared.key_package(prepared[name]) for name in ("emil", "inga")]
    )


def test_the_first_commit_creates_the_mls_group_and_encrypts_the_conversation_for_good(encrypted: Encrypted) -> None:
    group = encrypted.run(lambda session: session.get_one(MlsGroup, encrypted.conversation_id))
    conversation = encrypted.run(lambda session: session.get_one(Conversation, encrypted.conversation_id))
    waiting = encrypted.run(lambda session: set(session.execute(select(MlsWelcomeDevice.device_id)).scalars()))

    assert (group.generation, group.epoch, group.group_id) == (0, 1, encrypted.model.group_id)
    assert conversation.encryption_required
    assert conversation.is_intact
    assert encrypted.leaves() == {i: each.device_id for i, each in encrypted.model.leaves.items()}
    assert waiting == {encrypted["emil"].device_id, encrypted["inga"].device_id}
    assert not encrypted.needs_commit()


def test_a_repeated_creation_returns_the_first_result_and_another_one_loses(prepared: Encrypted) -> None:
    request = first_commit(prepared)
    first = prepared.create(prepared.home.maja, request)
    again = prepared.create(prepared.home.maja, request)
    other = MlsGroupModel(prepared["emil"])

    assert (again.epoch, again.repeat) == (first.epoch, True)
    with pytest.raises(EpochChanged) as raised:
        prepared.create(prepared.home.emil, other.commit(prepared["emil"]))
    assert raised.value.details == {"generation": 0, "epoch": 1, "needs_commit": False}


def test_without_a_required_policy_no_mls_group_is_created(prepared: Encrypted) -> None:
    with pytest.raises(EncryptionNotReady):
        prepared.create(prepared.home.maja, first_commit(prepared), OPTIONAL)


def test_the_creation_waits_for_recently_seen_devices_without_keys(prepared: Encrypted, clock: Clock) -> None:
    inga = prepared.home.inga
    tablet = prepared.run(lambda session: add_device(session, inga.user_id, "tablet").id)

    with pytest.raises(EncryptionNotReady) as raised:
        prepared.create(prepared.home.maja, first_commit(prepared))
    assert raised.value.details == {"waiting_for": [inga.user_id]}
    month_ago = update(Device).where(Device.id == tablet).values(last_seen_at=now() - timedelta(days=31))
    prepared.run(lambda session: session.execute(month_ago))

    assert prepared.create(prepared.home.maja, first_commit(prepared)).epoch == 1


def test_a_direct_conversation_waits_for_a_signed_device_of_both(database: Database, household: Household) -> None:
    prepared = set_up(database, household, direct_of)
    prepared.run(lambda session: session.execute(text("DELETE FROM device_keys")))
    maja = prepared.run(lambda session: published(session, household.maja, account=prepared.accounts["maja"]))
    long_ago = update(Device).values(last_seen_at=now() - timedelta(days=31))
    prepared.run(lambda session: session.execute(long_ago))

    with pytest.raises(EncryptionNotReady) as raised:
        prepared.create(household.maja, MlsGroupModel(maja).commit(maja))

    assert raised.value.details == {"waiting_for": [household.emil.user_id]}


def test_notes_to_self_have_an_mls_group_of_one_device(database: Database, household: Household) -> None:
    notes = set_up(
        database,
        household,
        lambda session, home: create_self_conversation(session, home.maja.user_id).conversation.id,
    )

    assert notes.create(household.maja, notes.model.commit(notes["maja"])).epoch == 1
    assert not notes.needs_commit()


@pytest.mark.parametrize("outsider", ["nils", "ada"])
def test_outsiders_neither_create_nor_commit(encrypted: Encrypted, outsider: str) -> None:
    who = getattr(encrypted.home, outsider)
    request = encrypted.model.commit(encrypted["nils"], external=True)

    for attempt in (encrypted.send, encrypted.create):
        with pytest.raises(NotFound):
            attempt(who, request)


def test_a_commit_adds_a_missing_device(encrypted: Encrypted) -> None:
    _, tablet = encrypted.another_device(encrypted.home.emil)
    assert [each.device_id for each in encrypted.run(missing_devices, encrypted.conversation_id)] == [tablet.device_id]
    assert not encrypted.needs_commit()  # Emil has another leaf

    result = encrypted.send(
        encrypted.home.maja, encrypted.model.commit(encrypted["maja"], add=[encrypted.key_package(tablet)])
    )
    encrypted.model.advance()

    assert (result.epoch, result.added) == (2, ((tablet.user_id, tablet.device_id),))
    assert encrypted.leaves() == {i: each.device_id for i, each in encrypted.model.leaves.items()}
    left = encrypted.run(unclaimed_key_packages, tablet.device_id)
    assert left == 1


def test_a_device_adds_itself_by_an_external_commit(encrypted: Encrypted) -> None:
    person, tablet = encrypted.another_device(encrypted.home.emil)

    result = encrypted.send(person, encrypted.model.commit(tablet, external=True))
    encrypted.model.advance()

    assert (result.external, result.epoch) == (True, 2)
    assert encrypted.leaves()[3] == tablet.device_id


def test_a_device_that_lost_its_state_replaces_its_own_leaf(encrypted: Encrypted) -> None:
    emil = encrypted["emil"]

    without = encrypted.model.commit(emil, external=True)
    assert encrypted.reason(encrypted.home.emil, without) == "remove"
    other = encrypted.model.commit(emil, external=True, remove=[encrypted["inga"]])
    assert encrypted.reason(encrypted.home.emil, other) == "remove"
    encrypted.send(encrypted.home.emil, encrypted.model.commit(emil, external=True, remove=[emil]))
    encrypted.model.advance()

    assert encrypted.leaves() == {i: each.device_id for i, each in encrypted.model.leaves.items()}


def test_a_former_member_and_a_signed_out_device_are_removed_by_the_next_commit(encrypted: Encrypted) -> None:
    home = encrypted.home
    encrypted.run(
        lambda session: remove_from_group(session, home.maja.user_id, encrypted.conversation_id, home.inga.user_id)
    )
    encrypted.run(lambda session: revoke_device(session, home.emil.user_id, home.emil.device_id))
    assert encrypted.needs_commit()
    assert encrypted.run(stale_leaves, encrypted.conversation_id) == [1, 2]

    removed = [encrypted["emil"], encrypted["inga"]]
    result = encrypted.send(home.maja, encrypted.model.commit(encrypted["maja"], remove=removed))

    assert (result.removed, encrypted.leaves()) == (2, {0: encrypted["maja"].device_id})
    assert not encrypted.needs_commit()


def test_nobody_removes_the_devices_of_another_member_or_the_own_leaf(encrypted: Encrypted) -> None:
    home, model = encrypted.home, encrypted.model

    assert encrypted.reason(home.maja, model.commit(encrypted["maja"], remove=[encrypted["emil"]])) == "remove"
    commit = model.commit(encrypted["maja"])
    own = mls.commit(model.group_id, 1, 0, [mls.remove_proposal(0)], encrypted["maja"].commit_leaf())
    assert encrypted.reason(home.maja, replace(commit, commit=own)) == "remove"
    twice = mls.commit(model.group_id, 1, 0, [mls.remove_proposal(9)], encrypted["maja"].commit_leaf())
    assert encrypted.reason(home.maja, replace(commit, commit=twice)) == "remove"


def test_a_user_removes_the_own_other_device(encrypted: Encrypted) -> None:
    person, tablet = encrypted.another_device(encrypted.home.emil)
    encrypted.send(person, encrypted.model.commit(tablet, external=True))
    encrypted.model.advance()

    result = encrypted.send(encrypted.home.emil, encrypted.model.commit(encrypted["emil"], remove=[tablet]))

    assert result.removed == 1


def test_a_new_member_needs_a_commit_before_the_next_message(encrypted: Encrypted) -> None:
    home = encrypted.home
    add_nils = add_to_group, home.maja.user_id, encrypted.conversation_id, home.nils.user_id
    encrypted.run(*add_nils)
    assert encrypted.needs_commit()

    add = [encrypted.key_package(encrypted["nils"])]
    encrypted.send(home.emil, encrypted.model.commit(encrypted["emil"], add=add))

    assert not encrypted.needs_commit()


def test_a_commit_without_proposals_only_begins_a_new_epoch(encrypted: Encrypted) -> None:
    before = encrypted.leaves()
    result = encrypted.send(encrypted.home.maja, encrypted.model.commit(encrypted["maja"]))

    assert (result.epoch, encrypted.leaves(), encrypted.needs_commit()) == (2, before, False)


def test_a_new_member_without_keys_needs_a_new_epoch_only_if_messages_were_sent(encrypted: Encrypted) -> None:
    home = encrypted.home
    encrypted.run(lambda session: session.execute(text("DELETE FROM key_packages")))
    encrypted.run(lambda session: session.execute(update(Conversation).values(last_seq=7, checksum=None)))
    encrypted.run(add_to_group, home.maja.user_id, encrypted.conversation_id, home.nils.user_id)
    assert encrypted.needs_commit()

    encrypted.send(home.maja, encrypted.model.commit(encrypted["maja"]))

    assert not encrypted.needs_commit()


def test_only_signed_devices_of_participants_are_added_with_their_published_key(encrypted: Encrypted) -> None:
    home = encrypted.home
    maja = encrypted["maja"]

    def reason(device: MlsDevice, package: bytes | None = None) -> str:
        add = [(device, package or device.key_package())]
        return encrypted.reason(home.maja, encrypted.model.commit(maja, add=add))

    assert reason(encrypted["nils"]) == "add"  # no participant
    assert reason(encrypted["emil"]) == "add"  # has a leaf
    pending = MlsDevice(home.emil.user_id, encrypted.run(lambda s: add_device(s, home.emil.user_id, "x").id))
    request = DeviceKeysRequest(pending.signature_key, pending.hpke_key)
    actor = replace(identity(home.emil), device_id=pending.device_id)
    encrypted.run(publish_device_keys, actor, request)
    assert reason(pending) == "add"
    person, tablet = encrypted.another_device(home.emil)
    assert reason(MlsDevice(tablet.user_id, tablet.device_id)) == "add"  # another key
    assert reason(tablet, tablet.key_package(expires_at=1_000_000_000)) == "add"
    damaged = bytearray(tablet.key_package())
    damaged[-1] ^= 1
    assert reason(tablet, bytes(damaged)) == "add"
    encrypted.run(revoke_device, person.user_id, person.device_id)
    assert reason(tablet) == "add"


def test_a_commit_comes_from_the_leaf_of_its_sender(encrypted: Encrypted) -> None:
    home, model = encrypted.home, encrypted.model
    request = model.commit(encrypted["maja"])
    other_path = mls.commit(model.group_id, 1, 0, [], encrypted["emil"].commit_leaf())
    no_init = mls.commit(model.group_id, 1, None, [], encrypted["emil"].commit_leaf())

    assert encrypted.reason(home.emil, request) == "sender"
    assert encrypted.reason(home.maja, replace(request, commit=other_path)) == "sender"
    assert encrypted.reason(home.emil, replace(request, commit=no_init)) == "sender"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epoch": 3}, "group_info"),
        ({"external_pub": False}, "group_info"),
        ({"suite": 3}, "group_info"),
        ({"leaves": {}}, "group_info"),
        ({"group_id": b"x" * 32}, "group_info"),
    ],
)
def test_the_group_info_describes_the_next_epoch_and_exactly_its_leaves(
    encrypted: Encrypted, changes: dict[str, Any], reason: str
) -> None:
    model = encrypted.model
    leaves = {index: each.commit_leaf() for index, each in model.leaves.items()}
    if "leaves" in changes:
        changes = {"leaves": {0: leaves[0], 2: leaves[2]}}
    info = mls.group_info(**{"group_id": model.group_id, "epoch": 2, "leaves": leaves, **changes})

    assert encrypted.reason(encrypted.home.maja, model.commit(encrypted["maja"], group_info=info)) == reason


def test_a_welcome_is_for_exactly_the_added_devices(encrypted: Encrypted) -> None:
    _, tablet = encrypted.another_device(encrypted.home.emil)
    maja, model = encrypted["maja"], encrypted.model
    add = [encrypted.key_package(tablet)]

    for welcome in (None, mls.welcome([b"r" * 32]), mls.welcome([])):
        assert encrypted.reason(encrypted.home.maja, model.commit(maja, add=add, welcome=welcome)) == "welcome"
    unneeded = mls.welcome([b"r" * 32])
    assert encrypted.reason(encrypted.home.maja, model.commit(maja, welcome=unneeded)) == "welcome"


def test_malformed_bytes_are_refused(encrypted: Encrypted) -> None:
    maja, model = encrypted["maja"], encrypted.model

    for field in ("commit", "group_info", "welcome"):
        request = replace(model.commit(maja), **{field: b"nothing"})  # type: ignore[arg-type]
        assert encrypted.reason(encrypted.home.maja, request) == "malformed"


def test_of_two_commits_one_wins_and_the_other_learns_the_epoch(encrypted: Encrypted) -> None:
    first, second = (encrypted.model.commit(encrypted[name]) for name in ("maja", "emil"))

    won = encrypted.send(encrypted.home.maja, first)
    again = encrypted.send(encrypted.home.maja, first)
    with pytest.raises(EpochChanged) as raised:
        encrypted.send(encrypted.home.emil, second)

    assert (won.epoch, won.repeat, again.epoch, again.repeat) == (2, False, 2, True)
    assert raised.value.details == {"generation": 0, "epoch": 2, "needs_commit": False}


def test_a_refused_commit_changes_nothing(encrypted: Encrypted) -> None:
    before = encrypted.leaves()
    _, tablet = encrypted.another_device(encrypted.home.emil)
    add = [encrypted.key_package(tablet)]

    encrypted.reason(encrypted.home.maja, encrypted.model.commit(encrypted["maja"], add=add, welcome=None))

    assert encrypted.leaves() == before
    assert encrypted.run(roster_of, encrypted.conversation_id).epoch == 1
    assert encrypted.run(lambda session: len(session.execute(select(MlsCommit)).all())) == 1


def test_a_lost_mls_group_is_created_again_at_most_three_times_a_day(encrypted: Encrypted, clock: Clock) -> None:
    def create(generation: int) -> CommitResult:
        model = MlsGroupModel(encrypted["emil"], generation)
        return encrypted.create(encrypted.home.emil, model.commit(encrypted["emil"]))

    for refused in (0, 2 + MAX_SKIPPED_GENERATIONS):
        with pytest.raises(EpochChanged):
            create(refused)
    assert [create(generation).generation for generation in (1, 2, 3)] == [1, 2, 3]
    assert encrypted.run(welcomes_for, encrypted["inga"].device_id) == []  # those of the former group are deleted
    with pytest.raises(InvalidCommit) as raised:
        create(4)
    assert raised.value.details["reason"] == "too_many_groups"
    clock.jump(timedelta(days=1, minutes=1))

    assert create(4).generation == 4
    assert encrypted.leaves() == {0: encrypted["emil"].device_id}
    assert encrypted.needs_commit()


def test_a_commit_deletes_no_key_packages_of_devices_outside_of_the_conversation(encrypted: Encrypted) -> None:
    nils = encrypted["nils"].device_id
    everything = (nils, encrypted["emil"].device_id, "nonsense")

    encrypted.send(encrypted.home.maja, encrypted.model.commit(encrypted["maja"], unusable_key_packages=everything))

    bodies = encrypted.run(
        lambda session: (
            session.execute(select(StoredKeyPackage.last_resort).where(StoredKeyPackage.device_id == nils))
            .scalars()
            .all()
        )
    )
    assert sorted(bodies) == [False, False, True]


def test_an_unusable_key_package_is_deleted_so_that_its_owner_blocks_nobody(encrypted: Encrypted) -> None:
    home = encrypted.home
    encrypted.run(add_to_group, home.maja.user_id, encrypted.conversation_id, home.nils.user_id)
    nils = encrypted["nils"]
    unusable = (nils.device_id,)

    for _ in range(2):
        encrypted.run(lambda session: claim_key_packages(session, encrypted.conversation_id, unusable))
        encrypted.send(home.maja, encrypted.model.commit(encrypted["maja"], unusable_key_packages=unusable))
        encrypted.model.advance()

    assert encrypted.run(unclaimed_key_packages, nils.device_id) == 0
    assert not encrypted.needs_commit()
    actor = identity(home.nils)
    encrypted.run(publish_key_packages, actor, nils.signature_key, [nils.key_package()], None)
    assert encrypted.needs_commit()
