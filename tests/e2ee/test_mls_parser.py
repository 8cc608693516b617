import hashlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from famichat.e2ee.mls_parser import (
    MAX_KEY_PACKAGE_BYTES,
    MAX_MLS_BYTES,
    MlsFormatError,
    parse_commit,
    parse_group_info,
    parse_key_package,
    parse_welcome,
)
from famichat.storage.base import new_id
from tests.support import effort, mls
from tests.support.mls import EXTERNAL_INIT, MlsDevice, add_proposal, remove_proposal, u8, u16, u32, v

GROUP = b"g" * 32
Parse = Callable[[bytes], Any]


def a_device() -> MlsDevice:
    return MlsDevice(new_id(), new_id())


def messages() -> list[tuple[Parse, bytes]]:
    device = a_device()
    package = device.key_package()
    leaf = device.commit_leaf()
    return [
        (parse_key_package, package),
        (parse_welcome, mls.welcome([parse_key_package(package).ref])),
        (parse_group_info, mls.group_info(GROUP, 7, {0: leaf, 3: a_device().commit_leaf()})),
        (parse_commit, mls.commit(GROUP, 7, 2, [add_proposal(package), remove_proposal(1)], leaf)),
        (parse_commit, mls.commit(GROUP, 7, None, [EXTERNAL_INIT], leaf)),
    ]


def test_a_key_package_names_its_device_and_its_lifetime() -> None:
    device = a_device()

    package = parse_key_package(device.key_package(expires_at=2_000_000_000))

    assert package.cipher_suite == 1
    assert package.leaf.identity == device.identity
    assert package.leaf.signature_key == device.signature_key
    assert package.leaf.lifetime is not None
    assert package.leaf.lifetime[1] == 2_000_000_000


def test_the_reference_of_a_key_package_is_the_labelled_hash_of_its_bytes() -> None:
    encoded = a_device().key_package()

    expected = hashlib.sha256(v(b"MLS 1.0 KeyPackage Reference") + v(encoded[4:])).digest()

    assert parse_key_package(encoded).ref == expected


def test_a_commit_of_a_member_says_whom_it_adds_and_removes() -> None:
    device = a_device()
    package = device.key_package()

    commit = parse_commit(mls.commit(GROUP, 9, 4, [add_proposal(package), remove_proposal(2), remove_proposal(5)]))

    assert (commit.group_id, commit.epoch, commit.sender) == (GROUP, 9, 4)
    assert [each.encoded for each in commit.adds] == [package[4:]]
    assert commit.removes == (2, 5)
    assert (commit.external_inits, commit.path_leaf) == (0, None)


def test_an_external_commit_has_no_sender_and_names_its_device_in_the_path() -> None:
    device = a_device()

    commit = parse_commit(mls.commit(GROUP, 9, None, [EXTERNAL_INIT, remove_proposal(1)], device.commit_leaf()))

    assert (commit.sender, commit.external_inits, commit.removes) == (None, 1, (1,))
    assert commit.path_leaf is not None
    assert commit.path_leaf.identity == device.identity
    assert commit.path_leaf.lifetime is None


def test_a_group_info_lists_the_leaves_of_its_tree_by_index() -> None:
    one, two = a_device(), a_device()

    info = parse_group_info(mls.group_info(GROUP, 3, {0: one.commit_leaf(), 3: two.commit_leaf()}))

    assert (info.cipher_suite, info.group_id, info.epoch, info.has_external_pub) == (1, GROUP, 3, True)
    assert {index: leaf.identity for index, leaf in info.leaves.items()} == {0: one.identity, 3: two.identity}


def test_a_group_info_may_lack_what_an_external_commit_needs() -> None:
    info = parse_group_info(mls.group_info(GROUP, 3, {0: a_device().commit_leaf()}, external_pub=False))

    assert not info.has_external_pub


def test_a_welcome_names_the_key_packages_that_it_is_for() -> None:
    assert parse_welcome(mls.welcome([b"a" * 32, b"b" * 32])).new_members == (b"a" * 32, b"b" * 32)


@pytest.mark.parametrize("position", range(5))
def test_a_message_that_ends_early_or_late_is_refused(position: int) -> None:
    parse, encoded = messages()[position]
    parse(encoded)

    for length in range(len(encoded)):
        with pytest.raises(MlsFormatError):
            parse(encoded[:length])
    with pytest.raises(MlsFormatError):
        parse(encoded + b"\0")


def test_a_message_of_another_kind_is_refused() -> None:
    for parse, encoded in messages():
        for other, _ in messages():
            if other is not parse:
                with pytest.raises(MlsFormatError):
                    other(encoded)


@pytest.mark.parametrize("content_type", [1, 2])
def test_application_data_and_standalone_proposals_are_refused(content_type: int) -> None:
    with pytest.raises(MlsFormatError, match="not a commit"):
        parse_commit(mls.commit(GROUP, 1, 0, content_type=content_type))


@pytest.mark.parametrize(
    "proposal",
    [
        u8(2) + v(b"r" * 32),  # by reference
        u8(1) + u16(4) + u8(1) + v(b"id") + v(b"nonce"),  # psk
        u8(1) + u16(7) + v(b""),  # group_context_extensions
        u8(1) + u16(0xF000) + v(b""),  # private use
    ],
)
def test_other_proposals_are_refused(proposal: bytes) -> None:
    with pytest.raises(MlsFormatError, match="proposal"):
        parse_commit(mls.commit(GROUP, 1, 0, [proposal]))


@pytest.mark.parametrize("length", [b"\x40\x20", b"\x80\x00\x00\x20", b"\xc0"])
def test_a_length_must_be_minimal(length: bytes) -> None:
    encoded = mls.commit(GROUP, 1, 0)
    assert encoded[4:5] == b"\x20"

    with pytest.raises(MlsFormatError, match="length"):
        parse_commit(encoded[:4] + length + encoded[5:])


def test_the_tree_of_a_group_info_cannot_end_with_a_blank_node_or_hold_a_leaf_in_the_place_of_a_parent() -> None:
    device = a_device()
    leaf = u8(1) + u8(1) + device.commit_leaf()
    good = mls.group_info(GROUP, 1, {0: device.commit_leaf()}, external_pub=False)
    context = good[: 4 + 4 + 33 + 8 + 33 + 33 + 1]

    for nodes in (leaf + b"\0", leaf + leaf, b""):
        encoded = context + v(u16(2) + v(v(nodes))) + v(b"t" * 32) + u32(0) + v(b"s" * 64)
        with pytest.raises(MlsFormatError, match=r"tree|leaf"):
            parse_group_info(encoded)


def test_a_message_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(MlsFormatError, match="too large"):
        parse_commit(bytes(MAX_MLS_BYTES + 1))
    with pytest.raises(MlsFormatError, match="too large"):
        parse_key_package(bytes(MAX_KEY_PACKAGE_BYTES + 1))


def test_damaged_bytes_are_parsed_or_refused_with_the_one_error() -> None:
    chance, seeds = random.Random(20_250), messages()  # noqa: S311 - a test of chance

    for _ in range(effort.repetitions(4_000, long=1_000_000)):
        parse, encoded = chance.choice(seeds)
        damaged = bytearray(encoded)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged))
            match chance.randrange(4):
                case 0:
                    del damaged[at : at + chance.randint(1, 5)]
                case 1:
                    damaged[at:at] = chance.randbytes(chance.randint(1, 5))
                case _:
                    damaged[at] = chance.randrange(256)
        try:
            parse(bytes(damaged))
        except MlsFormatError:
            continue
