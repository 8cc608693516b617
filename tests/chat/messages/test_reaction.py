"""Valid reactions, and how they are stored."""

from typing import Any

import pytest

from famichat.chat.errors import InvalidEncryptionMetadata, InvalidMessage
from famichat.chat.messages.reaction import ReactionRequest, reaction_view
from famichat.chat.records.reaction import MAX_SEALED_BYTES
from famichat.storage.crypto.vault import KEY_BYTES, Vault
from tests.factories.people import VAULT

ENVELOPE = {"encryption_flag": True, "encryption_version": "v1", "key_id": "k"}


@pytest.mark.parametrize("emoji", ["❤", "👍🏽", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "🇸🇪", "x" * 64])
def test_a_sign_is_understood(emoji: str) -> None:
    request = ReactionRequest.parse({"emoji": emoji, "message_id": "m"})

    assert request is not None
    assert request.emoji == emoji
    assert not request.envelope.encryption_flag


def test_no_emoji_takes_the_reaction_back() -> None:
    assert ReactionRequest.parse({"emoji": None}) is None


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"emoji": ""},
        {"emoji": "\u200d\ufe0f"},
        {"emoji": 1},
        {"emoji": ["❤"]},
        {"emoji": "x" * 65},
        {"emoji": "❤" * 22},
        {"emoji": "two words"},
        {"emoji": "a\nb"},
        {"emoji": "\0"},
        {"emoji": "\ud800"},
        {"emoji": "x" * (MAX_SEALED_BYTES + 1), **ENVELOPE},
    ],
)
def test_a_reaction_that_is_not_an_emoji_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage) as refusal:
        ReactionRequest.parse(payload)

    assert refusal.value.details == {"field": "emoji"}


def test_a_reaction_that_says_it_is_encrypted_says_how() -> None:
    with pytest.raises(InvalidEncryptionMetadata):
        ReactionRequest.parse({"emoji": "q83v", "encryption_flag": True})


def test_ciphertext_is_kept_as_it_came_and_anything_else_is_sealed() -> None:
    opaque, clear = ReactionRequest.parse({"emoji": "q83v " * 20, **ENVELOPE}), ReactionRequest.parse({"emoji": "❤"})
    assert opaque is not None
    assert clear is not None
    kept, sealed = opaque.to_row("m", "u", VAULT), clear.to_row("m", "u", VAULT)

    assert kept.emoji == b"q83v " * 20
    assert "❤".encode() not in sealed.emoji
    assert reaction_view(sealed, VAULT)["emoji"] == "❤"
    assert opaque.is_in(kept, VAULT)
    assert clear.is_in(sealed, VAULT)
    assert not clear.is_in(kept, VAULT)


@pytest.mark.parametrize("moved", [{"message_id": "another"}, {"user_id": "somebody else"}])
def test_a_reaction_that_was_moved_does_not_open(moved: dict[str, str]) -> None:
    request = ReactionRequest.parse({"emoji": "❤"})
    assert request is not None
    reaction = request.to_row("m", "u", VAULT)
    for name, value in moved.items():
        setattr(reaction, name, value)
    view = reaction_view(reaction, VAULT)

    assert (view["emoji"], view["error_code"]) == (None, 603)
    assert not request.is_in(reaction, VAULT)
    assert reaction_view(request.to_row("m", "u", VAULT), Vault({1: b"\x08" * KEY_BYTES}))["emoji"] is None
