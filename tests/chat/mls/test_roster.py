"""The roster rules hold in the transaction that stores a message, an edit or a reaction, on both databases."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from sqlalchemy import text

from famichat.accounts.account_deletion import erase_account
from famichat.accounts.device import revoke_device
from famichat.chat.errors import EncryptionRequired, EpochChanged, InvalidMessage
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.send import Draft, Sender, SendPath, SentMessage
from famichat.chat.mls.roster import stale_leaves
from famichat.e2ee.key_package import publish_key_packages
from famichat.storage.base import new_id
from tests.factories.people import INDEX, VAULT, Person
from tests.factories.talk import do, edit, react
from tests.support.encrypted import OPTIONAL, Encrypted
from tests.support.services import identity


@pytest.fixture
async def send_path(encrypted: Encrypted) -> AsyncIterator[SendPath]:
    journal = Journal(encrypted.database)
    yield SendPath(journal, VAULT, INDEX, OPTIONAL)
    await journal.close()


def envelope(generation: int = 0, epoch: int = 1) -> dict[str, Any]:
    return {
        "encryption_flag": True,
        "encryption_version": "famichat.1",
        "protocol": "mls10",
        "key_id": f"{generation}:{epoch}",
        "epoch": epoch,
    }


def message(**fields: Any) -> dict[str, Any]:
    return {"body": "q83v", "client_id": new_id().replace("-", ""), **envelope(), **fields}


async def send(send_path: SendPath, encrypted: Encrypted, who: Person, payload: Mapping[str, Any]) -> SentMessage:
    sender = Sender(who.user_id, who.device_id)
    draft = Draft.parse(payload)
    return await send_path.send(sender, None, encrypted.conversation_id, draft, lambda _sent, _view: None)


async def refusal(send_path: SendPath, encrypted: Encrypted, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Why Maja's message is refused."""
    with pytest.raises(EpochChanged) as raised:
        await send(send_path, encrypted, encrypted.home.maja, payload)
    return dict(raised.value.details)


async def test_a_message_of_the_current_epoch_is_stored(send_path: SendPath, encrypted: Encrypted) -> None:
    sent = await send(send_path, encrypted, encrypted.home.maja, message())

    assert sent.seq == 1


async def test_a_message_of_another_epoch_or_protocol_is_refused(send_path: SendPath, encrypted: Encrypted) -> None:
    current = {"generation": 0, "epoch": 1, "needs_commit": False}

    assert await refusal(send_path, encrypted, message(**envelope(epoch=0))) == current
    assert await refusal(send_path, encrypted, message(**envelope(generation=1))) == current
    assert await refusal(send_path, encrypted, message(protocol="other")) == current
    with pytest.raises(EncryptionRequired):
        await send(send_path, encrypted, encrypted.home.maja, {"body": "plaintext"})


@pytest.mark.parametrize("client_id", [None, "", "1", "0b0a9a52-6f0b-4f2e-8e0f-6b6d1f0a7e11", "A" * 32])
async def test_a_message_needs_a_client_id_of_32_hex_digits(
    send_path: SendPath, encrypted: Encrypted, client_id: str | None
) -> None:
    with pytest.raises(InvalidMessage) as raised:
        await send(send_path, encrypted, encrypted.home.maja, message(client_id=client_id))

    assert raised.value.details == {"field": "client_id"}


async def test_a_device_without_a_leaf_sends_nothing(send_path: SendPath, encrypted: Encrypted) -> None:
    tablet, _ = encrypted.another_device(encrypted.home.emil)

    with pytest.raises(EpochChanged):
        await send(send_path, encrypted, tablet, message())


async def test_a_repeated_message_is_found_in_any_epoch(send_path: SendPath, encrypted: Encrypted) -> None:
    payload = message()
    first = await send(send_path, encrypted, encrypted.home.maja, payload)
    encrypted.send(encrypted.home.maja, encrypted.model.commit(encrypted["maja"]))

    again = await send(send_path, encrypted, encrypted.home.maja, payload)

    assert (again.message_id, again.repeat) == (first.message_id, True)


@pytest.mark.parametrize("leaves", ["removed", "signed out", "deleted"])
async def test_no_message_is_stored_that_a_former_member_could_read(
    send_path: SendPath, encrypted: Encrypted, leaves: str
) -> None:
    home, conversation_id = encrypted.home, encrypted.conversation_id
    match leaves:
        case "removed":
            encrypted.run(remove_from_group, home.maja.user_id, conversation_id, home.inga.user_id)
        case "signed out":
            encrypted.run(revoke_device, home.inga.user_id, home.inga.device_id)
        case _:
            encrypted.run(erase_account, home.inga.user_id)

    assert (await refusal(send_path, encrypted, message()))["needs_commit"]
    assert encrypted.run(stale_leaves, conversation_id) == [2]
    encrypted.send(home.maja, encrypted.model.commit(encrypted["maja"], remove=[encrypted["inga"]]))

    assert (await send(send_path, encrypted, home.maja, message(**envelope(epoch=2)))).seq == 1


async def test_no_message_is_stored_that_a_new_member_could_not_read(send_path: SendPath, encrypted: Encrypted) -> None:
    home = encrypted.home
    encrypted.run(add_to_group, home.maja.user_id, encrypted.conversation_id, home.nils.user_id)

    assert (await refusal(send_path, encrypted, message()))["needs_commit"]
    add = [encrypted.key_package(encrypted["nils"])]
    encrypted.send(home.maja, encrypted.model.commit(encrypted["maja"], add=add))

    assert (await send(send_path, encrypted, home.maja, message(**envelope(epoch=2)))).seq == 1


async def test_a_new_member_without_a_device_gets_a_new_epoch_and_no_earlier_one(
    send_path: SendPath, encrypted: Encrypted
) -> None:
    home = encrypted.home
    await send(send_path, encrypted, home.maja, message())
    encrypted.run(lambda session: session.execute(text("DELETE FROM key_packages")))
    encrypted.run(add_to_group, home.maja.user_id, encrypted.conversation_id, home.nils.user_id)

    assert (await refusal(send_path, encrypted, message()))["needs_commit"]
    encrypted.send(home.maja, encrypted.model.commit(encrypted["maja"]))
    encrypted.model.advance()

    assert (await send(send_path, encrypted, home.maja, message(**envelope(epoch=2)))).seq == 2
    nils = encrypted["nils"]
    encrypted.run(publish_key_packages, identity(home.nils), nils.signature_key, [nils.key_package()], None)
    assert (await refusal(send_path, encrypted, message(**envelope(epoch=2))))["needs_commit"]


async def test_after_a_restore_no_message_and_no_commit_is_accepted_until_the_group_is_created_again(
    send_path: SendPath, encrypted: Encrypted
) -> None:
    encrypted.run(lambda session: session.execute(text("UPDATE mls_groups SET epoch = NULL")))

    lost = {"generation": 0, "epoch": None, "needs_commit": True}
    assert await refusal(send_path, encrypted, message()) == lost
    with pytest.raises(EpochChanged) as raised:
        encrypted.send(encrypted.home.maja, encrypted.model.commit(encrypted["maja"]))
    assert raised.value.details == lost


async def test_edits_and_reactions_are_of_the_current_epoch_and_their_retries_of_any(
    send_path: SendPath, encrypted: Encrypted
) -> None:
    home, conversation_id = encrypted.home, encrypted.conversation_id
    sent = await send(send_path, encrypted, home.maja, message())
    changes = edit("c2Vj", **envelope()), react("cmVh", **envelope())

    def change(number: int) -> bool:
        return bool(encrypted.run(do, home.maja, conversation_id, sent.message_id, changes[number]).changed)

    assert [change(0), change(1)] == [True, True]
    encrypted.send(home.maja, encrypted.model.commit(encrypted["maja"]))

    assert [change(0), change(1)] == [False, False]
    for stale in (edit("bGF0", **envelope()), react("bGF0", **envelope())):
        with pytest.raises(EpochChanged):
            encrypted.run(do, home.maja, conversation_id, sent.message_id, stale)
