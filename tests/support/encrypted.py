"""A group with an MLS group, and the devices in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import InvalidCommit
from famichat.chat.mls.commit import CommitRequest, CommitResult, create_mls_group, make_commit
from famichat.chat.mls.roster import leaves_of, roster_of
from famichat.chat.records.conversation import CONVERSATION_TYPES
from famichat.e2ee.key_package import claim_key_packages
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.support.mls import MlsAccount, MlsDevice, MlsGroupModel, publish, published
from tests.support.services import identity

REQUIRED = EncryptionPolicies(dict.fromkeys(CONVERSATION_TYPES, "required"))
OPTIONAL = EncryptionPolicies(dict.fromkeys(CONVERSATION_TYPES, "optional"))


@dataclass
class Encrypted:
    """The group of Maja, Emil and Inga with an MLS group; Nils has keys, too."""

    database: Database
    home: Household
    conversation_id: str
    model: MlsGroupModel
    devices: dict[str, MlsDevice]
    accounts: dict[str, MlsAccount]

    def __getitem__(self, name: str) -> MlsDevice:
        return self.devices[name]

    def key_package(self, device: MlsDevice) -> tuple[MlsDevice, bytes]:
        """The key package that the server gives out."""
        claimed = self.database.run(
            lambda session: claim_key_packages(session, self.conversation_id, [device.device_id])[device.device_id].body
        )
        return device, claimed

    def send(self, who: Person, request: CommitRequest) -> CommitResult:
        return self.database.run(lambda session: make_commit(session, identity(who), self.conversation_id, request))

    def create(self, who: Person, request: CommitRequest, policies: EncryptionPolicies = REQUIRED) -> CommitResult:
        return self.database.run(
            lambda session: create_mls_group(session, identity(who), self.conversation_id, request, policies)
        )

    def reason(self, who: Person, request: CommitRequest) -> str:
        """Why the server refuses a commit."""
        with pytest.raises(InvalidCommit) as raised:
            self.send(who, request)
        return str(raised.value.details["reason"])

    def run(self, work: Callable[..., Any], *args: Any) -> Any:
        return self.database.run(lambda session: work(session, *args))

    def needs_commit(self) -> bool:
        roster = self.run(roster_of, self.conversation_id)
        return bool(roster.needs_commit)

    def another_device(self, who: Person, *, packages: int = 2) -> tuple[Person, MlsDevice]:
        """A second, signed device of a person."""
        person = replace(who, device_id=self.run(lambda session: add_device(session, who.user_id, "tablet").id))
        account = self.accounts[who.username]
        return person, self.run(lambda session: published(session, person, account=account, packages=packages))

    def leaves(self) -> dict[int, str]:
        return {index: leaf.device_id for index, leaf in self.run(leaves_of, self.conversation_id).items()}


def set_up(
    database: Database,
    home: Household,
    make: Callable[[Session, Household], str],
    make_device: Callable[[str, str], MlsDevice] = MlsDevice,
    *,
    packages: int = 2,
) -> Encrypted:
    """Publish the keys of everyone's device, with this many key packages."""

    def prepare(session: Session) -> tuple[str, dict[str, MlsAccount], dict[str, MlsDevice]]:
        accounts, devices = dict[str, MlsAccount](), dict[str, MlsDevice]()
        for who in home.everyone:
            account = accounts[who.username] = MlsAccount(who.user_id)
            device = devices[who.username] = make_device(who.user_id, who.device_id)
            publish(session, who, device, account=account, packages=packages)
        return make(session, home), accounts, devices

    conversation_id, accounts, devices = database.run(prepare)
    return Encrypted(database, home, conversation_id, MlsGroupModel(devices["maja"]), devices, accounts)
