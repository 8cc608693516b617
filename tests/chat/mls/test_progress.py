from datetime import timedelta

from famichat.accounts.device import revoke_device
from famichat.chat.mls.progress import devices_without_keys, encrypted_conversations
from tests.support.clock import Clock
from tests.support.encrypted import Encrypted


def test_a_recently_seen_device_without_keys_is_found_until_it_is_signed_out(
    encrypted: Encrypted, clock: Clock
) -> None:
    ada = encrypted.home.ada
    found = encrypted.run(devices_without_keys)

    assert [(name, device.id) for name, device in found] == [("ada", ada.device_id)]
    clock.jump(timedelta(days=31))
    assert encrypted.run(devices_without_keys) == []
    clock.jump(-timedelta(days=31))
    encrypted.run(revoke_device, ada.user_id, ada.device_id)
    assert encrypted.run(devices_without_keys) == []


def test_conversations_with_an_mls_group_are_counted(encrypted: Encrypted) -> None:
    assert encrypted.run(encrypted_conversations) == 1
