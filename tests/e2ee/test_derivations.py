"""A second implementation of the keys and bytes of end-to-end encryption: verifies the vectors of the web client."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import http_ece  # type: ignore[import-untyped] # has no annotations
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "web/src/crypto/vectors/derivations.json").read_text(encoding="utf-8")
)


def test_the_account_keys_are_derived_from_the_seed() -> None:
    account = VECTORS["account"]
    seed = bytes.fromhex(account["seed"])

    signing = Ed25519PrivateKey.from_private_bytes(_expand(seed, b"famichat account signing", 32))
    hpke = X25519PrivateKey.from_private_bytes(_expand(seed, b"famichat account hpke", 32))

    assert signing.public_key().public_bytes_raw().hex() == account["public_key"]
    assert hpke.public_key().public_bytes_raw().hex() == account["hpke_key"]


def test_the_account_key_signs_the_keys_of_a_device() -> None:
    device = VECTORS["device"]
    signing = Ed25519PrivateKey.from_private_bytes(
        _expand(bytes.fromhex(VECTORS["account"]["seed"]), b"famichat account signing", 32)
    )

    certified = (
        b"famichat 1 device\0"
        + _parts(device["user_id"], device["device_id"], device["account_version"])
        + bytes.fromhex(device["signature_key"])
        + bytes.fromhex(device["hpke_key"])
    )

    assert signing.sign(certified).hex() == device["certificate"]


def test_the_id_of_an_mls_group_is_derived_from_its_conversation_and_generation() -> None:
    group = VECTORS["group"]
    named = b"famichat 1 group\0" + _parts(group["conversation_id"], group["generation"])

    assert hashlib.sha256(named).hexdigest() == group["group_id"]


def test_a_body_decrypts_to_a_signature_and_the_content() -> None:
    for vector in VECTORS["bodies"]:
        context = _context(vector)
        ikm = _expand(bytes.fromhex(vector["epoch_key"]), b"famichat 1 body\0" + context, 16)
        plaintext = http_ece.decrypt(_base64url(vector["body"]), key=ikm, version="aes128gcm")
        signature, content = plaintext[:64], plaintext[64:]

        assert content.decode() == vector["content"]
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(vector["signature_key"]))
        key.verify(signature, b"famichat 1 message\0" + context + content)


def test_hpke_decrypts_what_the_web_client_encrypted() -> None:
    vector = VECTORS["hpke"]
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    recipient = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["private_key"]))

    plaintext = suite.decrypt(
        bytes.fromhex(vector["enc"] + vector["ct"]), recipient, info=bytes.fromhex(vector["info"])
    )

    assert plaintext.hex() == vector["plaintext"]


def _context(vector: dict[str, Any]) -> bytes:
    fields = ("kind", "conversation_id", "generation", "epoch", "user_id", "device_id", "subject")
    return _parts(*(vector[field] for field in fields))


def _parts(*values: str | int) -> bytes:
    encoded = [str(value).encode() for value in values]
    return b"".join(len(value).to_bytes(2, "big") + value for value in encoded)


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    return HKDFExpand(SHA256(), length, info).derive(key)


def _base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
