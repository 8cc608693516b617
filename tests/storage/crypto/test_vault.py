import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.data_dir import SecretsMissing
from famichat.storage.errors import UnsealCause, UnsealError
from famichat.telemetry.events import DecryptionFailed, Event, VaultNotKept

KEY = secrets.token_bytes(32)
VAULT = Vault({1: KEY})
SEALED = VAULT.seal("body", b"hello", "row-1")


@given(st.binary(max_size=1000), st.text(max_size=40))
def test_a_sealed_value_opens_with_the_same_purpose_and_row(plaintext: bytes, row: str) -> None:
    assert VAULT.open("body", VAULT.seal("body", plaintext, row), row) == plaintext


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert VAULT.seal("body", b"hello", "row-1") != SEALED


def test_a_sealed_value_does_not_reveal_its_plaintext() -> None:
    assert b"hello" not in SEALED


@pytest.mark.parametrize(
    ("purpose", "sealed", "row", "cause"),
    [
        ("body", SEALED, "row-2", "not_authentic"),
        ("email", SEALED, "row-1", "not_authentic"),
        ("body", SEALED[:-1], "row-1", "not_authentic"),
        ("body", SEALED[:20], "row-1", "malformed"),
        ("body", b"", "row-1", "malformed"),
        ("body", b"\x02" + SEALED[1:], "row-1", "unknown_version"),
        ("body", SEALED[:1] + b"\x00\x09" + SEALED[3:], "row-1", "unknown_key"),
        ("body", SEALED[:-1] + bytes([SEALED[-1] ^ 1]), "row-1", "not_authentic"),
    ],
    ids=[
        "another row",
        "another purpose",
        "cut",
        "cut short",
        "empty",
        "unknown format",
        "unknown key",
        "one bit flipped",
    ],
)
def test_a_changed_or_moved_value_does_not_open_and_the_error_has_no_secret(
    purpose: str, sealed: bytes, row: str, cause: UnsealCause, emitted: list[Event]
) -> None:
    with pytest.raises(UnsealError) as raised:
        VAULT.open(purpose, sealed, row)

    assert str(raised.value) == f"sealed data did not open (purpose: {purpose})"
    assert raised.value.cause == cause
    assert emitted == [DecryptionFailed(purpose=purpose, cause=cause)]
    assert (emitted[0].error_code, emitted[0].error_type) == (603, "decryption_failure")  # type: ignore[attr-defined]


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_no_changed_byte_opens(position: int, change: int) -> None:
    changed = bytearray(SEALED)
    changed[position] ^= change

    with pytest.raises(UnsealError):
        VAULT.open("body", bytes(changed), "row-1")


def test_a_new_key_seals_new_values_and_the_old_key_still_opens_old_ones() -> None:
    rotated = Vault({1: KEY, 2: secrets.token_bytes(32)})

    assert rotated.open("body", SEALED, "row-1") == b"hello"
    with pytest.raises(UnsealError):
        VAULT.open("body", rotated.seal("body", b"new", "row-1"), "row-1")


def test_a_key_that_another_process_began_to_use_is_learnt_when_it_is_met() -> None:
    keys = {1: KEY}
    vault = Vault(keys, more=lambda: keys)
    keys = {1: secrets.token_bytes(32), 2: secrets.token_bytes(32)}

    assert vault.open("body", Vault({2: keys[2]}).seal("body", b"new", "row-1"), "row-1") == b"new"
    assert vault.open("body", SEALED, "row-1") == b"hello", "a key that is here stays what it is"
    assert vault.sealing_version == 1


def test_keys_that_cannot_be_read_just_now_leave_what_they_have_sealed_unopened(emitted: list[Event]) -> None:
    def more() -> dict[int, bytes]:
        raise SecretsMissing(Path("secrets.json"))

    with pytest.raises(UnsealError):
        Vault({2: KEY}, more=more).open("body", SEALED, "row-1")

    assert emitted[0] == VaultNotKept(error_type="SecretsMissing")


def test_a_retired_key_stays_away_even_if_its_file_still_has_it() -> None:
    both = {1: b"1" * 32, 2: b"2" * 32}
    vault = Vault({1: both[1]})
    sealed = vault.seal("body", b"hello", "row")
    vault.learn(both)
    vault.seal_with(2)
    vault.retire(1)
    vault.learn(both)

    assert set(vault.keys) == {2}
    with pytest.raises(UnsealError):
        vault.open("body", sealed, "row")


def test_only_an_available_key_can_seal() -> None:
    with pytest.raises(KeyError):
        Vault({1: KEY}).seal_with(2)


@pytest.mark.parametrize("keys", [{}, {1: b"short"}, {0: KEY}, {2**16: KEY}])
def test_a_vault_without_proper_keys_is_refused(keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="a vault needs keys"):
        Vault(keys)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_digests_are_equal_only_for_equal_parts(one: list[str], other: list[str]) -> None:
    index = BlindIndex("s" * 32)

    assert (index.digest("p", *one) == index.digest("p", *other)) == (one == other)


def test_digests_depend_on_the_secret_and_the_purpose() -> None:
    digest = BlindIndex("s" * 32).digest("email", "maja@example.org")

    assert len(digest) == 32
    assert digest != BlindIndex("t" * 32).digest("email", "maja@example.org")
    assert digest != BlindIndex("s" * 32).digest("pair", "maja@example.org")
