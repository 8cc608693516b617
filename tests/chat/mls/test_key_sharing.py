"""Keys travel between devices on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from famichat.accounts.device import add_device, revoke_device
from famichat.accounts.sign_in.token import Identity
from famichat.chat.errors import NotFound
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.mls import key_sharing
from famichat.chat.mls.key_sharing import (
    MAX_WAITING_SHARES,
    KeyShareRequest,
    OpenKeyRequest,
    SentKeyShare,
    confirm_key_share,
    key_shares_for,
    open_key_requests,
    request_keys,
    who_may_answer,
)
from famichat.e2ee.device_keys import DeviceKeysRequest, publish_device_keys
from famichat.e2ee.errors import InvalidKeys
from famichat.e2ee.key_share import delete_old_key_shares
from tests.factories.people import Person
from tests.support.clock import Clock
from tests.support.encrypted import Encrypted
from tests.support.mls import MlsDevice
from tests.support.services import identity


def send(
    encrypted: Encrypted, who: Person, to: str, conversation_id: str | None, text: bytes = b"keys"
) -> SentKeyShare:
    request = KeyShareRequest(to, conversation_id, text)
    sent: SentKeyShare = encrypted.run(key_sharing.send_key_share, identity(who), request)
    return sent


def ask(encrypted: Encrypted, who: Identity, conversation_id: str | None) -> OpenKeyRequest:
    asked: OpenKeyRequest = encrypted.run(request_keys, who, conversation_id)
    return asked


def test_keys_of_a_conversation_are_sent_to_its_participants_and_confirmed(encrypted: Encrypted) -> None:
    home, emil = encrypted.home, encrypted["emil"]

    first = send(encrypted, home.maja, emil.device_id, encrypted.conversation_id)
    again = send(encrypted, home.maja, emil.device_id, encrypted.conversation_id)
    [share] = encrypted.run(key_shares_for, emil.device_id)

    assert (first.repeat, again.id, again.repeat) == (False, first.id, True)
    assert (share.id, share.from_user_id, share.ciphertext) == (first.id, home.maja.user_id, b"keys")
    encrypted.run(confirm_key_share, encrypted["inga"].device_id, share.id)
    assert len(encrypted.run(key_shares_for, emil.device_id)) == 1
    for _ in range(2):
        encrypted.run(confirm_key_share, emil.device_id, share.id)
    assert encrypted.run(key_shares_for, emil.device_id) == []


def test_keys_go_to_nobody_else(encrypted: Encrypted) -> None:
    home, conversation_id = encrypted.home, encrypted.conversation_id
    lost, _ = encrypted.another_device(home.emil)
    encrypted.run(revoke_device, lost.user_id, lost.device_id)
    encrypted.run(remove_from_group, home.maja.user_id, conversation_id, home.inga.user_id)

    for sender, device_id, where in (
        (home.maja, home.nils.device_id, conversation_id),  # not in the conversation
        (home.maja, home.inga.device_id, conversation_id),  # no longer
        (home.inga, home.maja.device_id, conversation_id),
        (home.maja, lost.device_id, conversation_id),  # signed out
        (home.maja, home.ada.device_id, conversation_id),  # has no keys
        (home.maja, home.emil.device_id, None),  # the account of another user
        (home.maja, "nonsense", None),
    ):
        with pytest.raises(NotFound):
            send(encrypted, sender, device_id, where)


def test_a_new_device_asks_for_the_keys_of_the_account_and_gets_them(encrypted: Encrypted, clock: Clock) -> None:
    home = encrypted.home
    tablet = encrypted.run(lambda session: add_device(session, home.emil.user_id, "tablet").id)
    actor, device = replace(identity(home.emil), device_id=tablet), MlsDevice(home.emil.user_id, tablet)
    with pytest.raises(InvalidKeys):
        ask(encrypted, actor, None)
    encrypted.run(publish_device_keys, actor, DeviceKeysRequest(device.signature_key, device.hpke_key))
    with pytest.raises(InvalidKeys):
        ask(encrypted, actor, encrypted.conversation_id)  # a pending device gets no keys of others

    first, again = ask(encrypted, actor, None), ask(encrypted, actor, None)

    assert first.id == again.id
    assert encrypted.run(who_may_answer, first) == [home.emil.user_id]
    assert [each.id for each in encrypted.run(open_key_requests, identity(home.emil))] == [first.id]
    assert encrypted.run(open_key_requests, identity(home.maja)) == []
    assert encrypted.run(open_key_requests, actor) == []
    clock.jump(timedelta(minutes=11))
    assert encrypted.run(open_key_requests, identity(home.emil)) == []
    ask(encrypted, actor, None)
    send(encrypted, home.emil, tablet, None)
    assert encrypted.run(open_key_requests, identity(home.emil)) == []


def test_participants_are_asked_for_the_keys_of_a_conversation(encrypted: Encrypted) -> None:
    home, conversation_id = encrypted.home, encrypted.conversation_id

    request = ask(encrypted, identity(home.emil), conversation_id)

    assert encrypted.run(who_may_answer, request) == sorted(each.user_id for each in (home.maja, home.emil, home.inga))
    assert [each.device_id for each in encrypted.run(open_key_requests, identity(home.maja))] == [home.emil.device_id]
    assert encrypted.run(open_key_requests, identity(home.nils)) == []
    with pytest.raises(NotFound):
        ask(encrypted, identity(home.nils), conversation_id)
    encrypted.run(remove_from_group, home.maja.user_id, conversation_id, home.emil.user_id)
    assert encrypted.run(open_key_requests, identity(home.maja)) == []


def test_shares_and_requests_end_after_a_month_and_do_not_pile_up(encrypted: Encrypted, clock: Clock) -> None:
    home, emil = encrypted.home, encrypted["emil"]
    for number in range(MAX_WAITING_SHARES):
        send(encrypted, home.maja, emil.device_id, encrypted.conversation_id, b"%d" % number)
    with pytest.raises(InvalidKeys):
        send(encrypted, home.maja, emil.device_id, encrypted.conversation_id)
    ask(encrypted, identity(home.inga), encrypted.conversation_id)

    clock.jump(timedelta(days=31))
    encrypted.run(delete_old_key_shares)

    assert encrypted.run(key_shares_for, emil.device_id) == []
    assert encrypted.run(open_key_requests, identity(home.maja)) == []
