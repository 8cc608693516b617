"""Random histories of members, devices and messages: who can read a stored message is exactly who should.

The checker knows nothing of the server's rules. It compares the devices that hold the key of an epoch, as MLS members
know it, with the participants at the time of each message.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device, revoke_device
from famichat.chat.errors import EpochChanged, NotFound
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.journal import statements
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.send import Draft, Sender, SendPath
from famichat.chat.mls.roster import missing_devices, stale_leaves
from famichat.chat.mls.state import commits_after, confirm_welcome, welcomes_for
from famichat.chat.records.participant import participants
from famichat.e2ee.key_package import claim_key_packages
from famichat.storage.database import Database
from tests.factories.people import INDEX, VAULT, Household, Person
from tests.factories.talk import group_of
from tests.support import effort
from tests.support.encrypted import OPTIONAL, Encrypted, set_up
from tests.support.mls import MlsAccount, MlsDevice, encrypted_message, publish, published
from tests.support.mls_rs import RsDevice
from tests.support.services import identity

STEPS = 30
PACKAGES = 10
"""How many key packages a device on mls-rs publishes: it uses none twice."""


@dataclass
class Fault:
    """A message that the wrong devices can read."""

    kind: str


@dataclass
class Churn:
    """A random history and its results."""

    encrypted: Encrypted
    send_path: SendPath
    chance: random.Random
    people: list[Person] = field(init=False)
    devices: dict[str, tuple[Person, MlsDevice]] = field(init=False)
    stored: int = 0
    refused: int = 0
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        home = self.encrypted.home
        self.people = [home.emil, home.inga, home.nils]
        self.devices = {each.device_id: (each, self.encrypted[each.username]) for each in (home.maja, *self.people)}

    async def run(self, steps: int) -> "Churn":
        everything: list[Callable[[], None]] = [self.add, self.remove, self.sign_in, self.sign_out, self.join]
        for _ in range(steps):
            self.chance.choice(everything)()
            await self.send()
            if self.chance.random() < 0.6:
                self.reconcile()
                await self.send()
        return self

    def members(self) -> list[str]:
        found: list[str] = self.encrypted.run(participants, self.encrypted.conversation_id)
        return found

    def devices_of(self, user_ids: list[str]) -> list[str]:
        return [device_id for device_id, (who, _) in self.devices.items() if who.user_id in user_ids]

    def add(self) -> None:
        who, members = self.chance.choice(self.people), self.members()
        if who.user_id not in members:
            admin = self.encrypted.home.maja.user_id
            self.encrypted.run(add_to_group, admin, self.encrypted.conversation_id, who.user_id)

    def remove(self) -> None:
        who, members = self.chance.choice(self.people), self.members()
        if who.user_id in members:
            admin = self.encrypted.home.maja.user_id
            self.encrypted.run(remove_from_group, admin, self.encrypted.conversation_id, who.user_id)

    def sign_in(self) -> None:
        who = self.chance.choice([*self.people, self.encrypted.home.maja])
        device_id = self.encrypted.run(lambda session: add_device(session, who.user_id, "new").id)
        person, account = replace(who, device_id=device_id), self.encrypted.accounts[who.username]
        device = self.encrypted.run(lambda session: self.publish(session, person, account))
        self.devices[device_id] = person, device

    def publish(self, session: Session, person: Person, account: MlsAccount) -> MlsDevice:
        return published(session, person, account=account, packages=1)

    def sign_out(self) -> None:
        device_id = self.chance.choice(list(self.devices))
        who, _ = self.devices[device_id]
        if who.device_id != self.encrypted.home.maja.device_id:
            self.encrypted.run(revoke_device, who.user_id, device_id)
            del self.devices[device_id]

    def join(self) -> None:
        """A device without a leaf adds itself."""
        model = self.encrypted.model
        outside = [each for each in self.devices_of(self.members()) if each not in self.leaves()]
        if outside:
            who, device = self.devices[self.chance.choice(outside)]
            self.encrypted.send(who, model.commit(device, external=True))
            model.advance()

    def leaves(self) -> dict[str, MlsDevice]:
        return {each.device_id: each for each in self.encrypted.model.leaves.values()}

    def reconcile(self) -> None:
        encrypted, model = self.encrypted, self.encrypted.model
        able = [each for each in self.devices_of(self.members()) if each in self.leaves()]
        who, device = self.devices[self.chance.choice(able)]
        stale = set(encrypted.run(stale_leaves, encrypted.conversation_id))
        missing = [each.device_id for each in encrypted.run(missing_devices, encrypted.conversation_id)]
        packages = encrypted.run(self.claim, missing)
        add = [(self.devices[device_id][1], body) for device_id, body in packages.items()]
        remove = [each for index, each in model.leaves.items() if index in stale]
        encrypted.send(who, model.commit(device, add=add, remove=remove))
        model.advance()

    def claim(self, session: Any, device_ids: list[str]) -> dict[str, bytes]:
        claimed = claim_key_packages(session, self.encrypted.conversation_id, device_ids)
        return {device_id: each.body for device_id, each in claimed.items()}

    async def send(self) -> None:
        who, _ = self.devices[self.chance.choice(list(self.devices))]
        epoch = self.encrypted.model.epoch
        sender = Sender(who.user_id, who.device_id)
        draft, where = Draft.parse(encrypted_message(f"0:{epoch}")), self.encrypted.conversation_id
        try:
            await self.send_path.send(sender, None, where, draft, lambda _sent, _view: None)
        except (EpochChanged, NotFound):
            self.refused += 1
            return
        self.stored += 1
        self.check()

    def check(self) -> None:
        """Compare who can read the message just stored with who should."""
        able = set(self.leaves())
        should = set(self.devices_of(self.members()))
        if able - should:
            self.faults.append(Fault("a former member can read"))
        unread = [user_id for user_id in self.members() if not able & set(self.devices_of([user_id]))]
        if any(self.devices_of([user_id]) for user_id in unread):
            self.faults.append(Fault("a member cannot read"))


@dataclass
class RsChurn(Churn):
    """A history of devices on mls-rs, which follow the commits and Welcomes that the server has stored."""

    ever: dict[str, RsDevice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ever = {id_: device for id_, (_, device) in self.devices.items() if isinstance(device, RsDevice)}

    def publish(self, session: Session, person: Person, account: MlsAccount) -> MlsDevice:
        device = RsDevice(person.user_id, person.device_id)
        publish(session, person, device, account=account, packages=PACKAGES)
        self.ever[device.device_id] = device
        return device

    def join(self) -> None:
        """The library creates no external commits."""

    def reconcile(self) -> None:
        encrypted = self.encrypted
        able = [each for each in self.devices_of(self.members()) if each in self.leaves()]
        who, device = self.devices[self.chance.choice(able)]
        stale = set(encrypted.run(stale_leaves, encrypted.conversation_id))
        if stale:
            leaving = [self.ever[each.device_id] for index, each in encrypted.model.leaves.items() if index in stale]
            self.commit(who, self.ever[device.device_id], remove=leaving)
        missing = [each.device_id for each in encrypted.run(missing_devices, encrypted.conversation_id)]
        self.commit(who, self.ever[device.device_id], add=list(encrypted.run(self.claim, missing).values()))

    def commit(
        self, who: Person, device: RsDevice, *, add: Sequence[bytes] = (), remove: Sequence[RsDevice] = ()
    ) -> None:
        """Commit, let the members' devices follow, and compare their epoch keys with those of removed devices."""
        request = device.commit(self.encrypted.model.generation, add=add, remove=remove)
        self.encrypted.send(who, request)
        key = self.follow()
        assert key not in {each.key_after(request.commit, self.encrypted.conversation_id) for each in remove}

    def follow(self) -> bytes:
        """Let the members' devices catch up; return the epoch key on which they agree."""
        encrypted = self.encrypted
        encrypted.model.epoch += 1
        encrypted.model.leaves = {index: self.ever[device_id] for index, device_id in encrypted.leaves().items()}
        following = [each for each in self.devices_of(self.members()) if each in self.leaves()]
        for device_id in following:
            encrypted.run(self.catch_up, device_id)
        [key] = {self.ever[device_id].epoch_key(encrypted.conversation_id) for device_id in following}
        return key

    def catch_up(self, session: Session, device_id: str) -> None:
        """Do what a client does that was offline: take the Welcome, then apply the commits."""
        who, device = self.devices[device_id][0], self.ever[device_id]
        for welcome in welcomes_for(session, device_id):
            device.join(welcome.body, welcome.epoch)
            confirm_welcome(session, device_id, welcome.id)
        conversation_id, generation = self.encrypted.conversation_id, self.encrypted.model.generation
        for each in commits_after(session, identity(who), conversation_id, generation, device.epoch):
            device.process(each.encoded)


@pytest.fixture
async def send_path(database: Database) -> AsyncIterator[SendPath]:
    journal = Journal(database)
    yield SendPath(journal, VAULT, INDEX, OPTIONAL)
    await journal.close()


def churn(encrypted: Encrypted, send_path: SendPath, seed: int) -> Churn:
    return Churn(encrypted, send_path, random.Random(seed))  # noqa: S311 - a test of chance


@pytest.mark.parametrize("seed", range(effort.repetitions(1, long=50)))
async def test_exactly_the_members_can_read_each_message(encrypted: Encrypted, send_path: SendPath, seed: int) -> None:
    history = await churn(encrypted, send_path, seed).run(effort.repetitions(STEPS, long=500))

    assert history.faults == []
    assert history.stored > 5
    assert history.refused > 5


PLANTED = {
    "a former member can read": ("l.conversation_id = g.conversation_id AND (", "1 = 0 AND ("),
    "a member cannot read": (
        "AND EXISTS (SELECT 1 FROM device_keys",
        "AND 1 = 0 AND EXISTS (SELECT 1 FROM device_keys",
    ),
}
"""For each fault, a part of the condition, and what replaces it."""


@pytest.mark.parametrize("kind", PLANTED)
async def test_the_checker_finds_a_missing_rule(
    encrypted: Encrypted, send_path: SendPath, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rule, without = PLANTED[kind]
    assert rule in statements.NEEDS_COMMIT
    monkeypatch.setattr(statements, "NEEDS_COMMIT", statements.NEEDS_COMMIT.replace(rule, without))

    history = await churn(encrypted, send_path, 1).run(STEPS)

    assert kind in {fault.kind for fault in history.faults}


@pytest.mark.parametrize("seed", range(effort.repetitions(1, long=20)))
async def test_a_second_implementation_agrees_on_the_members_of_each_epoch(
    database: Database, household: Household, send_path: SendPath, seed: int
) -> None:
    encrypted = set_up(database, household, group_of, RsDevice, packages=PACKAGES)
    history = RsChurn(encrypted, send_path, random.Random(seed))  # noqa: S311 - a test of chance
    maja = history.ever[household.maja.device_id]
    maja.create()
    add = [encrypted.key_package(encrypted[name])[1] for name in ("emil", "inga")]
    encrypted.create(household.maja, maja.commit(0, add=add))
    history.follow()

    await history.run(effort.repetitions(STEPS // 2, long=200))

    assert history.faults == []
    assert encrypted.model.epoch > STEPS // 4
    assert history.stored > 3
