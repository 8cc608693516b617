"""Device keys and account keys, on both databases."""

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy.orm import Session

from famichat.accounts.account_deletion import erase_account
from famichat.accounts.device import add_device
from famichat.accounts.sign_in.token import Identity
from famichat.e2ee.account_key import account_keys_of
from famichat.e2ee.device_keys import DeviceKeysRequest, device_keys_of, publish_device_keys
from famichat.e2ee.errors import InvalidKeys
from famichat.e2ee.key_package import publish_key_packages, unclaimed_key_packages
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.support.mls import MlsAccount, MlsDevice, published
from tests.support.services import identity


def keys_of(device: MlsDevice, account: MlsAccount | None = None, *, first: bool = False) -> DeviceKeysRequest:
    """The request of a device that an account has signed; `first` publishes the account key with it."""
    certificate = None if account is None else account.certificate(device)
    return DeviceKeysRequest(
        device.signature_key, device.hpke_key, certificate, account.request() if first and account else None
    )


def refused(database: Database, who: Identity, request: DeviceKeysRequest) -> str:
    with pytest.raises(InvalidKeys) as raised:
        database.run(lambda session: publish_device_keys(session, who, request))
    return str(raised.value.details["reason"])


def another_device(session: Session, who: Person) -> Person:
    return replace(who, device_id=add_device(session, who.user_id, "tablet").id)


def test_the_first_device_of_a_user_publishes_the_account_key_that_signs_it(
    database: Database, household: Household
) -> None:
    maja = identity(household.maja)
    device, account = MlsDevice(maja.user_id, maja.device_id), MlsAccount(maja.user_id)
    request = keys_of(device, account, first=True)

    def publish(session: Session) -> list[tuple[int | None, bool]]:
        done = [publish_device_keys(session, maja, request) for _ in range(2)]
        return [(each.account_version, each.changed) for each in done]

    assert database.run(publish) == [(1, True), (1, False)]
    [version] = database.run_read(lambda session: account_keys_of(session, maja.user_id))
    [stored] = database.run_read(lambda session: device_keys_of(session, maja.user_id))
    assert (version.version, version.public_key) == (1, request.account and request.account.public_key)
    assert (stored.signature_key, stored.certificate) == (device.signature_key, request.certificate)


def test_a_later_device_is_pending_until_the_account_key_signs_it(database: Database, household: Household) -> None:
    account = MlsAccount(household.maja.user_id)
    database.run(lambda session: published(session, household.maja, account=account))
    tablet = identity(database.run(lambda session: another_device(session, household.maja)))
    device = MlsDevice(tablet.user_id, tablet.device_id)

    pending = database.run(lambda session: publish_device_keys(session, tablet, keys_of(device)))
    signed = database.run(lambda session: publish_device_keys(session, tablet, keys_of(device, account)))
    repeated = database.run(lambda session: publish_device_keys(session, tablet, keys_of(device)))

    assert [each.account_version for each in (pending, signed, repeated)] == [None, 1, 1]


def test_the_first_writer_of_an_account_version_wins(database: Database, household: Household) -> None:
    maja = household.maja
    database.run(lambda session: published(session, maja))
    tablet = identity(database.run(lambda session: another_device(session, maja)))
    device = MlsDevice(tablet.user_id, tablet.device_id)

    assert refused(database, tablet, keys_of(device, MlsAccount(maja.user_id), first=True)) == "account_version"
    skipped = MlsAccount(maja.user_id, version=3)
    assert refused(database, tablet, keys_of(device, skipped, first=True)) == "account_version"


def test_a_rotation_is_signed_by_the_previous_account_key(database: Database, household: Household) -> None:
    maja = identity(household.maja)
    first, second = MlsAccount(maja.user_id), MlsAccount(maja.user_id, version=2)
    device = database.run(lambda session: published(session, household.maja, account=first))
    request = keys_of(device, second)

    forged = replace(request, account=second.request(rotated_by=second))
    assert refused(database, maja, forged) == "rotation_signature"
    rotated = replace(request, account=second.request(rotated_by=first))
    done = database.run(lambda session: publish_device_keys(session, maja, rotated))

    assert done.account_version == 2


def test_keys_are_replaced_only_with_a_certificate_and_take_their_key_packages_along(
    database: Database, household: Household
) -> None:
    maja, account = identity(household.maja), MlsAccount(household.maja.user_id)
    database.run(lambda session: published(session, household.maja, account=account))
    replacement = MlsDevice(maja.user_id, maja.device_id)

    assert refused(database, maja, keys_of(replacement)) == "certificate"
    database.run(lambda session: publish_device_keys(session, maja, keys_of(replacement, account)))

    assert database.run_read(lambda session: unclaimed_key_packages(session, maja.device_id)) == 0


def test_a_certificate_of_another_key_or_for_another_device_is_refused(
    database: Database, household: Household
) -> None:
    account = MlsAccount(household.maja.user_id)
    device = database.run(lambda session: published(session, household.maja, account=account))
    tablet = identity(database.run(lambda session: another_device(session, household.maja)))
    own = MlsDevice(tablet.user_id, tablet.device_id)

    stranger = MlsAccount(household.maja.user_id)
    assert refused(database, tablet, keys_of(own, stranger)) == "certificate"
    assert refused(database, tablet, replace(keys_of(own), certificate=account.certificate(device))) == "certificate"
    assert refused(database, tablet, replace(keys_of(own), account=account.request())) == "certificate"


def test_a_signature_key_belongs_to_one_device(database: Database, household: Household) -> None:
    device = database.run(lambda session: published(session, household.maja))
    stolen = DeviceKeysRequest(device.signature_key, device.hpke_key)

    assert refused(database, identity(household.emil), stolen) == "signature_key"


def test_the_keys_of_a_deleted_account_remain(database: Database, household: Household) -> None:
    emil = household.emil
    device = database.run(lambda session: published(session, emil))

    database.run(lambda session: erase_account(session, emil.user_id))

    [stored] = database.run_read(lambda session: device_keys_of(session, emil.user_id))
    assert stored.signature_key == device.signature_key
    assert len(database.run_read(lambda session: account_keys_of(session, emil.user_id))) == 1
    assert database.run_read(lambda session: unclaimed_key_packages(session, emil.device_id)) == 0


def test_key_packages_need_the_published_key_and_the_identity_of_the_device(
    database: Database, household: Household
) -> None:
    maja = identity(household.maja)
    device = database.run(lambda session: published(session, household.maja, packages=0))
    unpublished = MlsDevice(maja.user_id, maja.device_id)
    unsigned = bytearray(device.key_package())
    unsigned[-1] ^= 1
    impostor = MlsDevice(household.emil.user_id, household.emil.device_id, key=device.key)

    def publish(session: Session, body: bytes) -> None:
        publish_key_packages(session, maja, device.signature_key, [body], None)

    for body in (unpublished.key_package(), bytes(unsigned), impostor.key_package(), b"nothing"):
        with pytest.raises(InvalidKeys) as raised:
            database.run(partial(publish, body=body))
        assert raised.value.details["reason"] == "key_package"
