import pytest

from famichat.e2ee.mls_parser import parse_key_package
from famichat.e2ee.signature import is_signed, is_valid_key_package, parts
from famichat.storage.base import new_id
from tests.support.mls import MlsDevice, message, signed, u8, u16, u64, v


def test_parts_with_other_borders_are_other_bytes() -> None:
    assert parts("ab", "c") != parts("a", "bc")
    assert parts("å") == b"\x00\x02\xc3\xa5"


def test_a_signature_is_valid_for_its_key_and_message_only() -> None:
    one, two = MlsDevice(new_id(), new_id()), MlsDevice(new_id(), new_id())
    signature = one.key.sign(b"message")

    assert is_signed(one.signature_key, b"message", signature)
    assert not is_signed(two.signature_key, b"message", signature)
    assert not is_signed(one.signature_key, b"another", signature)
    assert not is_signed(one.signature_key, b"message", signature[:63])
    assert not is_signed(one.signature_key[:31], b"message", signature)


def test_a_key_package_needs_both_signatures_and_the_cipher_suite() -> None:
    device, other = MlsDevice(new_id(), new_id()), MlsDevice(new_id(), new_id())
    content = device.key_package_content()

    assert is_valid_key_package(parse_key_package(message(5, content)))
    assert not is_valid_key_package(parse_key_package(device.key_package(suite=3)))
    last_byte_changed = content[:-1] + u8(content[-1] ^ 1)
    assert not is_valid_key_package(parse_key_package(message(5, last_byte_changed)))
    leaf_of_another = other.leaf(u8(1) + u64(0) + u64(2**40))
    unsigned = u16(1) + u16(1) + v(b"i" * 32) + leaf_of_another + v(b"")
    assert not is_valid_key_package(
        parse_key_package(message(5, unsigned + v(signed(device.key, "KeyPackageTBS", unsigned))))
    )


@pytest.mark.parametrize("position", [0, 10])
def test_a_key_package_does_not_use_one_key_twice(position: int) -> None:
    device = MlsDevice(new_id(), new_id())
    key = bytes([position]) * 32
    content = u16(1) + u16(1) + v(key) + device.leaf(u8(1) + u64(0) + u64(2**40), encryption_key=key) + v(b"")

    package = parse_key_package(message(5, content + v(signed(device.key, "KeyPackageTBS", content))))

    assert not is_valid_key_package(package)
