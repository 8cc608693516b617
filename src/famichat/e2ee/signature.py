"""Ed25519 signatures (RFC 8032) of devices and accounts, and the byte strings that they cover."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from famichat.e2ee.mls_parser import KeyPackage, encode_vector

KEY_BYTES = 32
SIGNATURE_BYTES = 64
CIPHER_SUITE = 1
"""MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519 (RFC 9420, section 17.1)."""


def parts(*values: str | int) -> bytes:
    r"""Concatenate values in UTF-8, each preceded by its length in two bytes.

    >>> parts("ab", 7)
    b'\x00\x02ab\x00\x017'
    """
    encoded = [str(value).encode() for value in values]
    return b"".join(len(each).to_bytes(2) + each for each in encoded)


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether an Ed25519 signature is valid. A key or signature of another length is never valid."""
    if len(public_key) != KEY_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def device_statement(
    user_id: str, device_id: str, account_version: int, signature_key: bytes, hpke_key: bytes
) -> bytes:
    """Return what a device certificate signs: the keys of a device."""
    return b"famichat 1 device\0" + parts(user_id, device_id, account_version) + signature_key + hpke_key


def account_statement(user_id: str, version: int, public_key: bytes, hpke_key: bytes) -> bytes:
    """Return what a rotation signs with the previous account key: the next account keys."""
    return b"famichat 1 account\0" + parts(user_id, version) + public_key + hpke_key


def is_valid_key_package(package: KeyPackage) -> bool:
    """Return whether a key package has the cipher suite and the signatures that Famichat requires (section 10.1)."""
    leaf = package.leaf
    return (
        package.cipher_suite == CIPHER_SUITE
        and len(package.init_key) == len(leaf.encryption_key) == KEY_BYTES
        and package.init_key != leaf.encryption_key
        and is_signed(leaf.signature_key, _sign_content("LeafNodeTBS", leaf.signed), leaf.signature)
        and is_signed(leaf.signature_key, _sign_content("KeyPackageTBS", package.signed), package.signature)
    )


def _sign_content(label: str, content: bytes) -> bytes:
    """Return the SignContent of section 5.1.2."""
    return encode_vector(f"MLS 1.0 {label}".encode()) + encode_vector(content)
